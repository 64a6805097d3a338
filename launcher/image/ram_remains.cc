// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/image/ram_remains.h"

#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "launcher/base/files.h"
#include "launcher/base/qemu_img.h"
#include "launcher/base/stop_signals.h"
#include "launcher/base/text.h"
#include "launcher/base/unfinished_file.h"
#include "launcher/qemu/control.h"
#include "launcher/vm/data_directory.h"
#include "launcher/vm/state.h"

namespace tapgate {

namespace {

std::string note_path(const VmName& vm) {
    return vm_data_directory(vm) + "/snapshot-size.json";
}

// The content of a note. (In the file, the path of a disk in the VM's directory is relative, so
// that it stays right when the VM is renamed.)
struct Noted {
    std::string node;
    std::string disk;
    std::uint64_t size = 0;
    std::uint64_t entry = 0;  // the disk grows to a multiple of this
    std::uint64_t most = 0;   // and to this at most
    pid_t qemu = 0;
    bool ran = false;
};

std::optional<Noted> noted(const VmName& vm) {
    const auto text = read_file(note_path(vm));
    const nlohmann::json json =
        text ? nlohmann::json::parse(*text, nullptr, false) : nlohmann::json();
    try {
        if (json.is_object()) {
            const std::string disk = json.at("disk");
            return Noted{.node = json.at("node"),
                         .disk = disk.starts_with('/') ? disk : vm_data_directory(vm) + "/" + disk,
                         .size = json.at("size"),
                         .entry = json.at("entry"),
                         .most = json.at("most"),
                         .qemu = json.at("qemu"),
                         .ran = json.at("ran")};
        }
    } catch (const nlohmann::json::exception&) {
        // A partial note, after the host has crashed.
    }
    return std::nullopt;
}

bool has_grown(const Noted& note, std::uint64_t size) {
    return size > note.size && note.entry != 0 && size % note.entry == 0 && size <= note.most;
}

void forget(const VmName& vm) {
    unlink(note_path(vm).c_str());
}

std::uint64_t size_now(QmpClient& qmp, const std::string& node) {
    for (const nlohmann::json& device : qmp_command(qmp, "query-block")) {
        const auto inserted = device.find("inserted");
        if (inserted != device.end() && inserted->value("node-name", "") == node)
            return inserted->at("image").at("virtual-size");
    }
    return 0;
}

// The first step needs no room, and frees that of a table which the second step may need.
std::string shrink(QmpClient& qmp, const std::string& node, std::uint64_t size, std::uint64_t entry,
                   std::chrono::milliseconds limit) {
    for (const std::uint64_t next : {(size + entry - 1) / entry * entry, size}) {
        const QmpAnswer done =
            qmp.execute("block_resize", {{"node-name", node}, {"size", next}}, limit);
        if (!done.ok())
            return terminal_text(done.error);
    }
    return {};
}

}  // namespace

RamRemains::RamRemains(QmpClient& qmp, const VmName& vm, std::string node,
                       const nlohmann::json& image, Milliseconds limit)
    : qmp_(qmp),
      vm_(vm),
      node_(std::move(node)),
      limit_(limit),
      size_(image.at("virtual-size")),
      most_(qmp_command(qmp, "query-memory-size-summary").value("base-memory", std::uint64_t{0}) +
            (snapshot_of_devices << 20U)) {
    const auto cluster = image.value("cluster-size", std::uint64_t{0});
    const bool extended =
        image.value(nlohmann::json::json_pointer("/format-specific/data/extended-l2"), false);
    // What one entry of the first table (L1) maps: QEMU begins after the disk's last one.
    entry_ = cluster * (cluster / (extended ? 16 : 8));
    if (entry_ == 0)
        return;
    make_private_directory(vm_data_directory(vm));
    const std::string disk = image.value("filename", "");
    const std::string own = vm_data_directory(vm) + "/";
    replace_file(note_path(vm),
                 nlohmann::json({{"node", node_},
                                 {"disk", disk.starts_with(own) ? disk.substr(own.size()) : disk},
                                 {"size", size_},
                                 {"entry", entry_},
                                 {"most", size_ + most_ + 2 * entry_},
                                 {"qemu", vm_state(vm).qemu},
                                 {"ran", guest_status(qmp) == "running"}})
                     .dump(-1, ' ', true, nlohmann::json::error_handler_t::replace));
}

RamRemains::~RamRemains() {
    if (has_size_)
        forget(vm_);
}

// QEMU itself removes a snapshot that it fails to save, but not what it has written of the RAM:
// that stays in the image after the end of the disk (qcow2_vm_state_offset() in block/qcow2.h), as
// a part of nothing. So the disk grows over it and shrinks again, which frees everything after the
// new end. The guest stands still meanwhile, and does not notice.
std::string RamRemains::take_back() {
    if (entry_ == 0)
        return "its cluster size is not known";
    const HeldSignals signals;
    has_size_ = false;
    const bool runs = guest_status(qmp_) == "running";
    if (runs)
        qmp_command(qmp_, "stop");
    std::string why = shrink_again();
    has_size_ = size_now(qmp_, node_) == size_;
    if (runs)
        qmp_command(qmp_, "cont");
    signals.throw_if_any();
    return why;
}

std::string RamRemains::shrink_again() {
    const std::uint64_t first = (size_ + entry_ - 1) / entry_;
    std::string why;
    bool grown = false;
    // Where there is no room for its entry, nothing was written either.
    for (std::uint64_t n = (most_ + entry_ - 1) / entry_; n > 0 && !grown; n--)
        grown = resized((first + n) * entry_, why);
    if (!grown)
        return why.find("No space left") != std::string::npos ? std::string() : why;
    return shrink(qmp_, node_, size_, entry_, limit_);
}

bool RamRemains::resized(std::uint64_t size, std::string& why) {
    const QmpAnswer done =
        qmp_.execute("block_resize", {{"node-name", node_}, {"size", size}}, limit_);
    if (!done.ok())
        why = terminal_text(done.error);
    return done.ok();
}

std::string mend_grown_disk(const VmName& vm, QmpClient& qmp) {
    const auto note = noted(vm);
    // If QEMU is another one by now, somebody may have resized the disk since then.
    if (!note || note->qemu != vm_state(vm).qemu)
        return {};
    const bool runs = guest_status(qmp) == "running";
    if (!has_grown(*note, size_now(qmp, note->node))) {
        forget(vm);
        return {};
    }
    const std::string what = "the disk " + shown(note->disk) +
                             " had grown, since tapgate was killed after a snapshot that failed";
    if (runs)
        return what + "; its guest runs, and so it stays";
    const std::string why =
        shrink(qmp, note->node, note->size, note->entry, std::chrono::minutes(1));
    if (!why.empty())
        return what + ", and cannot be made smaller again: " + why;
    forget(vm);
    if (note->ran)
        qmp_command(qmp, "cont");
    return what + "; it has its size again" + (note->ran ? ", and the guest goes on" : "");
}

std::string mend_grown_disk(const VmName& vm) {
    if (!noted(vm))
        return {};
    try {
        QmpClient qmp = QmpClient::connect(qmp_path(vm), qmp_limit);
        return mend_grown_disk(vm, qmp);
    } catch (const QmpError& error) {
        throw qmp_failure(vm, error);
    }
}

std::string grown_disk(const VmSpec& spec) {
    const auto note = noted(spec.name);
    if (!note || std::none_of(spec.disks.begin(), spec.disks.end(),
                              [&](const Disk& disk) { return disk.path.str() == note->disk; }))
        return {};
    const ProgramResult info =
        run_qemu_img({"info", "-U", "-f", "qcow2", "--output=json", note->disk},
                     FileAccess{.read = {note->disk}, .parts = {}, .write = {}});
    const nlohmann::json image = nlohmann::json::parse(info.output, nullptr, false);
    if (!image.is_object() || !has_grown(*note, image.value("virtual-size", std::uint64_t{0}))) {
        forget(spec.name);
        return {};
    }
    return "the disk " + shown(note->disk) + " is larger than its " + std::to_string(note->size) +
           " bytes, since tapgate was killed after a snapshot that failed; if nobody has resized "
           "it "
           "since then: qemu-img resize -f qcow2 --shrink " +
           shell_word(note->disk) + " " + std::to_string(note->size);
}

}  // namespace tapgate
