// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/image/snapshots.h"

#include <unistd.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>

#include "launcher/base/block_device.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/host_resources.h"
#include "launcher/base/output.h"
#include "launcher/base/qemu_img.h"
#include "launcher/base/stop_signals.h"
#include "launcher/base/text.h"
#include "launcher/image/base_image.h"
#include "launcher/image/disk_image.h"
#include "launcher/image/lock.h"
#include "launcher/image/ram_remains.h"
#include "launcher/image/snapshot_hardware.h"
#include "launcher/qemu/control.h"
#include "launcher/qemu/firmware.h"
#include "launcher/qemu/hardware.h"
#include "launcher/qemu/qmp_client.h"
#include "launcher/qemu/standstill.h"
#include "launcher/vm/file.h"
#include "launcher/vm/known_hosts.h"
#include "launcher/vm/state.h"

namespace tapgate {

namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr std::string_view uefi_node = "uefi-variables";

LauncherError cannot_have(const std::string& disk, const std::string& format) {
    return LauncherError(shown(disk) + " is a " + shown(format) +
                         " image, which cannot hold snapshots; make it a qcow2 with: qemu-img "
                         "convert -O qcow2, or a clone of the VM");
}

LauncherError no_such_snapshot(const VmName& name, const std::string& tag) {
    return LauncherError(name.str() + " has no snapshot " + quoted_word(tag) +
                         "; see tapgate snapshot list " + name.str());
}

LauncherError exists_already(const VmName& name, const std::string& tag) {
    return LauncherError(name.str() + " has a snapshot " + quoted_word(tag) +
                         " already; take another tag, or: tapgate snapshot delete " + name.str() +
                         " " + tag);
}

// --- A VM that is off

// The snapshots in a qcow2 by their tags, from the JSON of qemu-img or QMP.
std::map<std::string, Snapshot> snapshots_in(const nlohmann::json& image) {
    std::map<std::string, Snapshot> snapshots;
    for (const nlohmann::json& one : image.value("snapshots", nlohmann::json::array())) {
        const std::string tag = one.value("name", "");
        snapshots[tag] = {.tag = tag,
                          .date = one.value("date-sec", std::int64_t{0}),
                          .ram = one.value("vm-state-size", std::uint64_t{0})};
    }
    return snapshots;
}

std::map<std::string, Snapshot> snapshots_in_file(const std::string& path) {
    // -U, because the VM may run. Without --backing-chain, it opens nothing but this file.
    const ProgramResult info = run_qemu_img({"info", "-U", "-f", "qcow2", "--output=json", path},
                                            FileAccess{.read = {path}, .parts = {}, .write = {}});
    const nlohmann::json json = nlohmann::json::parse(info.output, nullptr, false);
    if (info.exit_code != 0 || !json.is_object())
        throw LauncherError(shown(path) + ": " + terminal_text(info.errors));
    return snapshots_in(json);
}

// The images of which a snapshot consists.
struct Images {
    std::vector<std::string> disks;
    std::string variables;  // of the UEFI; empty: there are none yet
};

Images images_of(const VmSpec& spec) {
    Images images;
    for (const Disk& disk : spec.disks) {
        if (disk.read_only)
            continue;
        if (disk.format != ImageFormat::qcow2)
            throw cannot_have(disk.path.str(), std::string(name_of(disk.format)));
        images.disks.push_back(disk.path.str());
    }
    if (images.disks.empty())
        throw LauncherError(spec.name.str() + " has no disk that its guest writes to");
    const std::string variables = uefi_variables_path(spec.name, spec.firmware);
    if (!variables.empty() && access(variables.c_str(), F_OK) == 0)
        images.variables = variables;
    return images;
}

// The way out, if QEMU may have failed for want of room; otherwise empty.
std::string room_wanted(const std::string& path) {
    const DiskFacts space = disk_space(path);
    return space.error != 0 || space.is_device
               ? ""
               : "; " + shown(mount_point_of(path)) + " has " +
                     std::to_string(space.free_mebibytes) + " MiB free: make room there";
}

bool is_full_disk(const std::string& error) {
    return error.find("No space left") != std::string::npos;
}

void qemu_img_snapshot(const std::string& what, const std::string& tag, const std::string& path) {
    // Without its backing files, which are not needed for this.
    const nlohmann::json image = {
        {"driver", "qcow2"},
        {"backing", nullptr},
        {"file", {{"driver", is_block_device(path) ? "host_device" : "file"}, {"filename", path}}}};
    const auto qemu_img = [&](std::vector<std::string> words) {
        words.push_back("json:" + image.dump());
        return run_qemu_img(words, FileAccess{.read = {}, .parts = {}, .write = {path}},
                            std::chrono::minutes(10));
    };
    const ProgramResult done = qemu_img({"snapshot", "-q", what, tag});
    if (done.exit_code == 0)
        return;
    // Room that belongs to nothing is left where it fails halfway. Of a deletion that may be all
    // that has failed: then the snapshot is off the list already.
    const bool is_sound = qemu_img({"check", "-q", "-r", "leaks"}).exit_code == 0;
    if (is_sound && what == "-d" && !snapshots_in_file(path).contains(tag))
        return;
    // What qemu-img says behind its first line follows from that.
    throw LauncherError(shown(path) + ": " +
                        terminal_text(done.errors.substr(0, done.errors.find('\n'))) +
                        (is_full_disk(done.errors) ? room_wanted(path) + ", and try again" : ""));
}

// Saves in all files; or in none, when that fails or a signal comes.
void save_in_files(const std::vector<std::string>& paths, const std::string& tag,
                   const HeldSignals& signals) {
    size_t saved = 0;
    try {
        for (; saved < paths.size(); saved++) {
            signals.throw_if_any();
            qemu_img_snapshot("-c", tag, paths[saved]);
        }
        signals.throw_if_any();
    } catch (const LauncherError&) {
        while (saved > 0)
            qemu_img_snapshot("-d", tag, paths[--saved]);
        throw;
    }
}

// A VM that is off, locked and checked: nobody can start it, and none of its images is a base,
// depends on a changed one, or names what it should not. When a signal comes, an operation that has
// begun on one disk is completed or undone.
class OffVm {
  public:
    explicit OffVm(const VmName& name)
        : name_(name), lock_(lock_vm(name)), spec_(load_vm_file(name).spec) {
        images_ = images_of(spec_);
        for (const std::string& disk : images_.disks)
            refuse_base(disk, "a clone can have snapshots of its own; or delete them first");
        for (const std::string& disk : images_.disks)
            refuse_used_image(disk);
        check_bases(spec_);
        check_images(spec_);
    }

    void save(const std::string& tag) const {
        std::vector<std::string> paths = images_.disks;
        if (!images_.variables.empty())
            paths.push_back(images_.variables);
        for (const std::string& path : paths) {
            if (snapshots_in_file(path).contains(tag))
                throw exists_already(name_, tag);
        }
        save_in_files(paths, tag, signals_);
    }

    void restore(const std::string& tag) const {
        const std::vector<std::string> paths = those_with(tag);
        for (const std::string& disk : images_.disks) {
            const auto snapshots = snapshots_in_file(disk);
            const auto found = snapshots.find(tag);
            if (found == snapshots.end())
                throw LauncherError(shown(disk) + " has no snapshot " + quoted_word(tag) +
                                    "; it is a part of the VM's disks only, and nothing was done");
            if (found->second.ram > 0)
                throw LauncherError(
                    "the snapshot " + quoted_word(tag) +
                    " is of a running guest, with its RAM, which needs QEMU to go back to: tapgate "
                    "start " +
                    name_.str() + " && tapgate snapshot restore " + name_.str() + " " + tag);
        }
        // A full disk in the middle, or Ctrl-C, would leave half of the disks restored.
        const std::string before = "before-restore-" + std::to_string(getpid());
        save_in_files(paths, before, signals_);
        try {
            for (const std::string& path : paths) {
                signals_.throw_if_any();
                qemu_img_snapshot("-a", tag, path);
            }
        } catch (const LauncherError&) {
            for (const std::string& path : paths)
                qemu_img_snapshot("-a", before, path);
            remove(before, paths);
            throw;
        }
        remove(before, paths);
    }

    void remove(const std::string& tag) const {
        const std::vector<std::string> paths = those_with(tag);
        // From the first one on there is no way back.
        signals_.throw_if_any();
        remove(tag, paths);
        forget_hardware(name_, tag);
    }

  private:
    [[nodiscard]] std::vector<std::string> those_with(const std::string& tag) const {
        std::vector<std::string> paths;
        for (const std::string& path : images_.disks) {
            if (snapshots_in_file(path).contains(tag))
                paths.push_back(path);
        }
        if (paths.empty())
            throw no_such_snapshot(name_, tag);
        if (!images_.variables.empty() && snapshots_in_file(images_.variables).contains(tag))
            paths.push_back(images_.variables);
        return paths;
    }

    static void remove(const std::string& tag, const std::vector<std::string>& paths) {
        for (const std::string& path : paths)
            qemu_img_snapshot("-d", tag, path);
    }

    const VmName& name_;
    HeldSignals signals_;
    UniqueFd lock_;
    VmSpec spec_;
    Images images_;
};

// --- A VM that runs

// What QEMU writes to, as it says itself: the VM file may have changed since the VM was started.
class RunningVm {
  public:
    RunningVm(const VmName& name, milliseconds limit)
        : name_(name), limit_(limit), qmp_(QmpClient::connect(qmp_path(name), qmp_limit)) {
        if (const std::string mended = mend_grown_disk(name, qmp_); !mended.empty())
            note(mended);
        look_at_disks();
        if (state_node_.empty())
            throw LauncherError(name.str() + " has no disk that its guest writes to");
    }

    void save(const std::string& tag) {
        if (!nodes_with(tag).empty())
            throw exists_already(name_, tag);
        nlohmann::json nodes = nlohmann::json::array();
        for (const auto& [node, snapshots] : nodes_)
            nodes.push_back(node);
        require_room(tag);
        const auto hardware = known_hardware();
        RamRemains remains(qmp_, name_, state_node_, state_image_, limit_);
        const std::string error =
            job_error("snapshot-save", {{"tag", tag}, {"vmstate", state_node_}, {"devices", nodes}},
                      "saving");
        if (error.empty()) {
            describe(tag, hardware);
            return;
        }
        // A device that cannot save its state; nothing was written.
        if (error.find("igrat") != std::string::npos)
            throw LauncherError(failure("saving", error) + "; leave the RAM out: " + cold(tag));
        const std::string left = remains.take_back();
        const std::string room = room_wanted(state_path_);
        throw LauncherError(failure("saving", error) +
                            (left.empty()
                                 ? "; nothing of it is left"
                                 : "; what it has written of the RAM cannot be taken out of " +
                                       shown(state_path_) + ": " + left) +
                            (room.empty() ? "" : room + ", and save it again"));
    }

    void restore(const std::string& tag) {
        const nlohmann::json nodes = nodes_with(tag);
        if (nodes.empty())
            throw no_such_snapshot(name_, tag);
        std::string with_ram;
        for (const auto& [node, snapshots] : nodes_) {
            const auto found = snapshots.find(tag);
            if (found == snapshots.end() && node != uefi_node)
                throw LauncherError("the snapshot " + quoted_word(tag) +
                                    " is on a part of the VM's disks only; nothing was done");
            if (found != snapshots.end() && found->second.ram > 0)
                with_ram = node;
        }
        if (with_ram.empty())
            throw LauncherError("the snapshot " + quoted_word(tag) +
                                " was made while the guest was off: end it first, with: tapgate "
                                "stop " +
                                name_.str());
        require_same_hardware(name_, nodes_.at(with_ram).at(tag), qmp_);
        const std::string error =
            job_error("snapshot-load", {{"tag", tag}, {"vmstate", with_ram}, {"devices", nodes}},
                      "restoring");
        if (error.empty())
            return;
        // QEMU takes the disks back first.
        const std::string why = standstill(name_, qmp_);
        throw LauncherError(
            failure("restoring", error) +
            (why.empty()
                 ? ""
                 : "; had the VM other memory, processors or devices when it was saved? Its "
                   "disks are as they were then, but " +
                       why));
    }

    void remove(const std::string& tag) {
        const nlohmann::json nodes = nodes_with(tag);
        if (nodes.empty())
            throw no_such_snapshot(name_, tag);
        const std::string error =
            job_error("snapshot-delete", {{"tag", tag}, {"devices", nodes}}, "deleting");
        if (error.empty()) {
            forget_hardware(name_, tag);
            return;
        }
        // This QEMU has struck it off its list, which the image still has.
        throw LauncherError(failure("deleting", error) +
                            (is_full_disk(error) ? room_wanted(state_path_) +
                                                       ", and delete it again after: tapgate "
                                                       "restart " +
                                                       name_.str()
                                                 : ""));
    }

  private:
    void look_at_disks() {
        for (const nlohmann::json& device : answer("query-block")) {
            const auto inserted = device.find("inserted");
            if (inserted == device.end() || inserted->value("ro", true))
                continue;
            const std::string node = inserted->value("node-name", "");
            const std::string path = inserted->value("file", "");
            if (!node.starts_with("disk") && node != uefi_node)
                throw LauncherError(name_.str() +
                                    " runs with snapshot=on, which throws away what its guest "
                                    "writes; there is nothing to keep");
            if (inserted->value("drv", "") != "qcow2")
                throw cannot_have(path, inserted->value("drv", ""));
            nodes_[node] = snapshots_in(inserted->at("image"));
            if (node != uefi_node && state_node_.empty()) {
                state_node_ = node;
                state_path_ = path;
                state_image_ = inserted->at("image");
            }
        }
    }

    std::optional<Hardware> known_hardware() {
        try {
            return hardware_of(qmp_);
        } catch (const LauncherError&) {
            return std::nullopt;
        }
    }

    // Without that, what was saved is as good, but is restored without being compared. Asks the
    // image, not QEMU, which may have ended with its guest since.
    void describe(const std::string& tag, const std::optional<Hardware>& hardware) const {
        std::string why;
        try {
            record_hardware(name_, snapshots_in_file(state_path_).at(tag), hardware.value());
            return;
        } catch (const LauncherError& error) {
            why = error.what();
        } catch (const std::bad_optional_access&) {
            why = "QEMU's answer was not the one expected";
        } catch (const std::out_of_range&) {
            why = shown(state_path_) + " does not list it";
        }
        note("the snapshot " + tag + " is saved, but not what " + name_.str() +
             " is like, with which it could be compared before it is restored: " + why);
    }

    [[nodiscard]] nlohmann::json nodes_with(const std::string& tag) const {
        nlohmann::json nodes = nlohmann::json::array();
        for (const auto& [node, snapshots] : nodes_) {
            if (snapshots.contains(tag))
                nodes.push_back(node);
        }
        return nodes;
    }

    nlohmann::json answer(const std::string& command, const nlohmann::json& arguments = nullptr) {
        QmpAnswer answer = qmp_.execute(command, arguments);
        if (!answer.ok())
            throw LauncherError("QEMU refuses " + command + ": " + answer.error);
        return std::move(answer.value);
    }

    // A snapshot for which the disk has no room leaves it full: what was written of the RAM stays
    // in the image. Of the guest's RAM, only what was ever used is written, which is what QEMU's
    // process has.
    void require_room(const std::string& tag) {
        const std::uint64_t ram =
            answer("query-memory-size-summary").value("base-memory", std::uint64_t{0}) >> 20U;
        const std::string process = "/proc/" + std::to_string(vm_state(name_).qemu) + "/status";
        const std::string text = line_of(process, "VmRSS:");
        const auto resident = parse_whole<std::uint64_t>(text.substr(0, text.find(' ')));
        const std::uint64_t needed =
            std::min(ram, resident.value_or(ram << 10U) >> 10U) + snapshot_of_devices;
        const DiskFacts space = disk_space(state_path_);
        if (space.error == 0 && !space.is_device && space.free_mebibytes < needed &&
            !is_block_device(state_path_))
            throw LauncherError("no room for the snapshot " + tag +
                                " with the guest's RAM: " + shown(mount_point_of(state_path_)) +
                                ", where " + shown(state_path_) + " is, has " +
                                std::to_string(space.free_mebibytes) +
                                " MiB free, and it may take " + std::to_string(needed) +
                                "; make room there, or leave the RAM out: " + cold(tag));
    }

    static std::string failure(const std::string& doing, const std::string& error) {
        return "QEMU fails at " + doing + " the snapshot: " + terminal_text(error);
    }

    [[nodiscard]] std::string cold(const std::string& tag) const {
        return "tapgate stop " + name_.str() + " && tapgate snapshot save " + name_.str() + " " +
               tag;
    }

    // QEMU works in its main loop (migration/savevm.c), and does not answer until that is over.
    // Returns why it failed, or an empty string.
    std::string job_error(const std::string& command, nlohmann::json arguments,
                          const std::string& doing) {
        const std::string id = "tapgate-" + std::to_string(getpid());
        const auto begin = Clock::now();
        auto tell = begin + milliseconds(1000);
        arguments["job-id"] = id;
        const LauncherError not_ended("QEMU has not ended " + doing + " the snapshot within " +
                                      std::to_string(limit_.count() / 1000) +
                                      " s, and goes on with it; see tapgate snapshot list " +
                                      name_.str());
        try {
            if (const QmpAnswer started =
                    qmp_.execute(command, arguments, std::max(limit_, qmp_limit));
                !started.ok())
                throw LauncherError("QEMU refuses " + command + ": " + started.error);
        } catch (const QmpError& error) {
            // It has answered just before, so it works, and does not hang.
            if (error.kind() == QmpError::Kind::too_slow)
                throw not_ended;
            throw;
        }
        for (;;) {
            const auto now = Clock::now();
            const auto passed = std::chrono::duration_cast<milliseconds>(now - begin);
            if (passed > limit_)
                throw not_ended;
            if (now >= tell) {
                note(doing + " the snapshot (" + std::to_string(passed.count() / 1000) + " s)");
                tell += milliseconds(5000);
            }
            const auto event = qmp_.next_event(
                std::chrono::ceil<milliseconds>(std::min(tell, begin + limit_) - now) +
                milliseconds(1));
            if (!event || event->at("event") != "JOB_STATUS_CHANGE" || !event->contains("data"))
                continue;
            const nlohmann::json& data = event->at("data");
            if (data.value("id", "") == id && data.value("status", "") == "concluded")
                break;
        }
        std::string error;
        for (const nlohmann::json& job : answer("query-jobs")) {
            if (job.value("id", "") == id)
                error = job.value("error", "");
        }
        answer("job-dismiss", {{"id", id}});
        return error;
    }

    const VmName& name_;
    milliseconds limit_;
    QmpClient qmp_;
    std::map<std::string, std::map<std::string, Snapshot>> nodes_;
    std::string state_node_;  // the node that the RAM is written to
    std::string state_path_;
    nlohmann::json state_image_;
};

// The result of `of_running` or `of_off`, depending on the VM.
template <typename Running, typename Off>
void do_with(const VmName& name, milliseconds limit, const Running& of_running, const Off& of_off) {
    if (!has_vm_file(name))
        throw no_such_vm(name);
    if (vm_state(name).qemu == 0) {
        of_off(OffVm(name));
        return;
    }
    try {
        RunningVm vm(name, limit);
        of_running(vm);
    } catch (const QmpError& error) {
        throw qmp_failure(name, error);
    } catch (const nlohmann::json::exception&) {
        throw LauncherError("QEMU's answer is not the one expected");
    }
}

}  // namespace

std::vector<Snapshot> snapshots_of(const VmName& name) {
    const Images images = images_of(load_vm_file(name).spec);
    std::map<std::string, Snapshot> all;
    std::map<std::string, size_t> count;
    for (const std::string& disk : images.disks) {
        for (const auto& [tag, snapshot] : snapshots_in_file(disk)) {
            Snapshot& one = all.emplace(tag, snapshot).first->second;
            one.ram = std::max(one.ram, snapshot.ram);
            one.on_all_disks = ++count[tag] == images.disks.size();
        }
    }
    std::vector<Snapshot> snapshots;
    snapshots.reserve(all.size());
    for (auto& [tag, snapshot] : all)
        snapshots.push_back(std::move(snapshot));
    std::stable_sort(snapshots.begin(), snapshots.end(),
                     [](const Snapshot& a, const Snapshot& b) { return a.date < b.date; });
    return snapshots;
}

void save_snapshot(const VmName& name, const std::string& tag, milliseconds limit) {
    do_with(
        name, limit, [&](RunningVm& vm) { vm.save(tag); }, [&](const OffVm& vm) { vm.save(tag); });
}

void restore_snapshot(const VmName& name, const std::string& tag, milliseconds limit) {
    do_with(
        name, limit, [&](RunningVm& vm) { vm.restore(tag); },
        [&](const OffVm& vm) { vm.restore(tag); });
    // The host keys of a guest that has not booted yet are not those that ssh knows.
    forget_known_hosts(name);
}

void delete_snapshot(const VmName& name, const std::string& tag, milliseconds limit) {
    do_with(
        name, limit, [&](RunningVm& vm) { vm.remove(tag); },
        [&](const OffVm& vm) { vm.remove(tag); });
}

}  // namespace tapgate
