// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/lab/start_check.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <set>
#include <sstream>
#include <system_error>
#include <thread>

#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/host_resources.h"
#include "launcher/base/memory.h"
#include "launcher/base/output.h"
#include "launcher/base/text.h"
#include "launcher/image/base_image.h"
#include "launcher/image/disk_image.h"
#include "launcher/network/helper_client.h"
#include "launcher/network/policy_verdict.h"
#include "launcher/qemu/argv.h"
#include "launcher/run/host.h"
#include "launcher/run/prepare_files.h"
#include "launcher/vm/data_directory.h"
#include "launcher/vm/file.h"
#include "launcher/vm/file_text.h"

namespace tapgate {

namespace {

// How much a new overlay may grow before anybody looks again, in MiB.
constexpr std::uint64_t room_of_overlay = 16;

// What is in the directory would be removed with the VM by a rollback or by `destroy`.
void check_new(const VmName& name) {
    const std::string directory = vm_data_directory(name);
    std::error_code error;
    if (std::filesystem::exists(directory, error) && !std::filesystem::is_empty(directory, error))
        throw LauncherError(shown(directory) +
                            " holds the files of an earlier VM: move or remove them");
}

// Whether the VM's file has the lines that the lab's file gives it.
bool is_as_planned(const LabMember& member) {
    const std::string file = "\n" + read_file(vm_file_path(member.name)).value_or("");
    std::istringstream planned(vm_file_text(member.name, member.planned->settings));
    for (std::string line; std::getline(planned, line);) {
        // The version of the machine was written down when the VM was made.
        if (!line.starts_with('#') && !line.starts_with("machine =") &&
            file.find("\n" + line + "\n") == std::string::npos)
            return false;
    }
    return true;
}

void check_base(const LabSection& section) {
    const VmName& base = section.base.value();
    if (!has_vm_file(base))
        throw wrong_setting(section.base_place, "no VM is called " + base.str() +
                                                    "; make one with: tapgate create, or "
                                                    "tapgate import");
    if (vm_state(base).qemu != 0)
        throw LauncherError("the template " + base.str() +
                            " runs; end it first, with: tapgate stop " + base.str());
}

// The VM as cloning will describe it, except for its disks: these are the template's, which a clone
// only reads.
VmSpec clone_spec(const LabMember& member, const LabSection& section) {
    std::vector<Setting> settings = member.planned->settings;
    bool own_nets = false;
    for (const Setting& setting : settings)
        own_nets = own_nets || setting.key == "net";
    for (const Setting& setting : load_vm_file(section.base.value()).settings)
        if (setting.source != Setting::Source::built_in &&
            std::none_of(member.planned->settings.begin(), member.planned->settings.end(),
                         [&](const Setting& one) { return one.key == setting.key; }))
            settings.push_back(setting);
    VmSpec spec = describe_unfiled_vm(member.name, settings).spec;
    spec.snapshot = true;
    for (Net& net : spec.nets)
        if (!own_nets)
            net.mac.reset();
    return spec;
}

void check_startable(const VmSpec& spec, const std::string& helper) {
    try {
        qemu_argv(spec, host_facts(spec, helper), planned_fds(spec, false));
        refuse_written_base(spec);
        check_images(spec);
        check_bases(spec);
        check_shares(spec);
    } catch (const LauncherError& error) {
        throw LauncherError(spec.name.str() + ": " + error.what(), error.code());
    }
}

void check_room(const std::vector<VmSpec>& starting, const std::string& helper) {
    const Memory room = memory();
    LabFacts facts{.memory_available = room.available,
                   .network = host_network(),
                   .user = getuid(),
                   .memory_limit = room.limit};
    for (const std::string& bridge : lab_bridges(starting))
        facts.verdicts.emplace(bridge, policy_verdict(helper_path(helper), bridge));
    for (unsigned left = 50;; left--)
        try {
            check_lab_room(starting, facts);
            return;
        } catch (const LauncherError& error) {
            if (left == 0 || error.code() != ExitCode::refused)
                throw;
            // The port of a VM that has just ended may still be going, which takes the kernel some
            // 40 ms.
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
            facts.network = host_network();
        }
}

}  // namespace

void check_lab_start(const Lab& lab, const std::vector<LabMember>& members,
                     const std::string& helper) {
    std::vector<VmSpec> all;
    std::vector<VmSpec> starting;
    std::set<std::string> bases;
    std::uint64_t overlays = 0;
    std::vector<std::string> outdated;
    for (const LabMember& member : members) {
        const bool runs = member.life == Life::running;
        if (member.life == Life::starting || member.life == Life::stopping)
            throw LauncherError(member.name.str() + " is " + member.state_text() +
                                " just now; try again when that is over");
        if (!member.made && runs)
            throw LauncherError(member.name.str() +
                                " runs, and has no VM file; end it first, with: tapgate stop " +
                                member.name.str());
        const LabSection& section = lab.sections.at(member.planned->section);
        if (!member.made)
            check_new(member.name);
        else if (!is_as_planned(member))
            outdated.push_back(member.name.str());
        if (!member.made && section.base) {
            if (bases.insert(section.base->str()).second)
                check_base(section);
            overlays++;
        }
        VmSpec spec = member.made    ? load_vm(member.name, {}).spec
                      : section.base ? clone_spec(member, section)
                                     : describe_lab_vm(*member.planned).spec;
        // Slurm knows whether there is room elsewhere.
        if (!runs && !member.on_slurm) {
            check_startable(spec, helper);
            starting.push_back(spec);
        }
        all.push_back(std::move(spec));
    }
    check_lab_conflicts(all);
    check_room(starting, helper);
    const DiskFacts disk = data_disk();
    if (overlays * room_of_overlay > disk.free_mebibytes)
        throw LauncherError("disk: " + shown(disk.path) + " has " +
                            std::to_string(disk.free_mebibytes) + " MiB left, and " +
                            std::to_string(overlays) + " VMs to make need " +
                            std::to_string(room_of_overlay) + " MiB each to begin with");
    if (!outdated.empty())
        note(std::to_string(outdated.size()) + " VMs (" + outdated.front() +
             (outdated.size() > 1 ? ", ..." : "") + ") are not as " + shown(lab.path) +
             " has them: they were made before, or edited, and stay as they are until tapgate "
             "lab destroy");
}

}  // namespace tapgate
