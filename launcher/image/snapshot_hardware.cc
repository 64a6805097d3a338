// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/image/snapshot_hardware.h"

#include <unistd.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/output.h"
#include "launcher/base/text.h"
#include "launcher/base/unfinished_file.h"
#include "launcher/vm/data_directory.h"

namespace tapgate {

namespace {

constexpr std::string_view prefix = "hardware-";

std::string path_of(const VmName& vm, const std::string& tag) {
    return vm_data_directory(vm).append("/").append(prefix).append(tag).append(".json");
}

// Nothing when there is no record, or only that of another snapshot, which had the same tag.
std::optional<Hardware> recorded(const VmName& vm, const Snapshot& snapshot) {
    const auto text = read_file(path_of(vm, snapshot.tag));
    const nlohmann::json json =
        text ? nlohmann::json::parse(*text, nullptr, false) : nlohmann::json();
    try {
        if (json.is_object() && json.at("date") == snapshot.date && json.at("ram") == snapshot.ram)
            return hardware_in(json.at("hardware"));
    } catch (const nlohmann::json::exception&) {  // NOLINT(bugprone-empty-catch)
        // It has another form.
    }
    return std::nullopt;
}

}  // namespace

void record_hardware(const VmName& vm, const Snapshot& snapshot, const Hardware& hardware) {
    const nlohmann::json json = {
        {"date", snapshot.date}, {"ram", snapshot.ram}, {"hardware", json_of(hardware)}};
    make_private_directory(vm_data_directory(vm));
    replace_file(path_of(vm, snapshot.tag), json_text(json));
}

void require_same_hardware(const VmName& vm, const Snapshot& snapshot, QmpClient& qmp) {
    const auto then = recorded(vm, snapshot);
    if (!then)
        return;
    const Hardware now = hardware_of(qmp);
    const std::string difference = difference_between(*then, now);
    if (difference.empty())
        return;
    const std::string name = vm.str();
    const std::string settings = settings_to_restore(*then, now);
    throw LauncherError("the RAM in the snapshot " + quoted_word(snapshot.tag) + " does not fit " +
                        name + " as it is now: " + difference + "; nothing was done. " +
                        (settings.empty()
                             ? "Make " + name + " what it was (tapgate edit, attach, detach), and "
                             : "Make " + name + " what it was: tapgate stop " + name +
                                   " && tapgate set " + name + " " + settings +
                                   " && tapgate start " + name + "; then ") +
                        "restore it again");
}

void forget_hardware(const VmName& vm, const std::string& tag) {
    unlink(path_of(vm, tag).c_str());
}

void forget_hardware(const VmName& vm) {
    for (const std::filesystem::path& entry : entries_of(vm_data_directory(vm))) {
        if (is_hardware_record(entry.filename().string()))
            unlink(entry.c_str());
    }
}

bool is_hardware_record(const std::string& file) {
    return file.starts_with(prefix) && file.ends_with(".json");
}

}  // namespace tapgate
