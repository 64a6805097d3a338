// SPDX-License-Identifier: GPL-2.0-or-later
//
// A lab: several VMs that are handled as one thing, described in a file with a section for each
// kind of VM. The language and most of the keys are those of VM files (vm/options.h).
//
//     parallel = 4
//     net = bridge:br-lab
//
//     [server]
//     template = rhce-server
//
//     [client]
//     count = 19
//     template = rhce-client
//     memory = 512M
//     after = server:ssh
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "launcher/vm/description.h"
#include "launcher/vm/setting.h"

namespace tapgate {

/// What a section waits for before its VMs start.
struct LabDependency {
    size_t section = 0;  ///< an index into Lab::sections
    std::string goal;    ///< "running", or another word that `tapgate wait --for` takes
};

/// A kind of VM.
struct LabSection {
    std::string name;
    unsigned count = 1;
    std::optional<VmName> base;  ///< the template, on whose disks overlays are made; or nothing
    std::vector<LabDependency> after = {};
    std::vector<Setting> settings = {};  ///< for its VMs, including those for the whole lab
    Setting place;                       ///< the section's line, for errors
    Setting base_place;                  ///< the line with `template`, for errors
};

struct Lab {
    VmName name;
    std::string path;                  ///< the absolute path of its file
    std::optional<unsigned> parallel;  ///< how many VMs may be starting at the same time
    std::vector<LabSection> sections;
};

/// One of a lab's VMs: LAB-SECTION-N.
struct LabVm {
    VmName name;
    size_t section = 0;
    std::vector<Setting> settings = {};  ///< its own; {n} and {name} have been replaced
};

/// The lab that `text` describes, the content of the file `path` (absolute). Throws a LauncherError
/// with file, line and caret.
Lab parse_lab_file(const std::string& path, std::string_view text);

/// Reads the lab's file. Throws a LauncherError, also when there is none.
Lab load_lab(const std::string& path);

/// All VMs of the lab, in the order of its file.
std::vector<LabVm> lab_vms(const Lab& lab);

/// The VM as the file describes it. Only for a VM without a template. Throws a LauncherError that
/// names the place of a mistake.
VmDescription describe_lab_vm(const LabVm& vm);

/// The line of a VM file that says which lab has made the VM. If the user removes it, the VM is
/// his.
std::string lab_mark(const VmName& lab);

/// The lab that has made the VM with this file; empty when none has.
std::string lab_of_vm_file(std::string_view vm_file);

/// Whether the lab has made the VM with this file. The VM's name must be one of the lab's, too, so
/// that a copy does not count.
bool has_lab_mark(std::string_view vm_file, const VmName& vm, const VmName& lab);

}  // namespace tapgate
