// SPDX-License-Identifier: GPL-2.0-or-later
//
// A lab: several VMs that are one thing, described in a file of sections, one for each kind of VM.
// The language is that of VM files (vm/options.h), and so are the keys, but for a few.
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
    std::string goal;    ///< "running", or what else `tapgate wait --for` takes
};

/// A kind of VM.
struct LabSection {
    std::string name;
    unsigned count = 1;
    std::optional<VmName> base;  ///< the VM whose disks get overlays; nothing: no template
    std::vector<LabDependency> after = {};
    std::vector<Setting> settings = {};  ///< of a VM, the lab's own too
    Setting place;                       ///< for errors: the section's line
    Setting base_place;                  ///< and that of `template`
};

struct Lab {
    VmName name;
    std::string path;                  ///< of its file, absolute
    std::optional<unsigned> parallel;  ///< how many VMs may be starting at a time
    std::vector<LabSection> sections;
};

/// One of a lab's VMs: LAB-SECTION-N.
struct LabVm {
    VmName name;
    size_t section = 0;
    std::vector<Setting> settings = {};  ///< of its own, {n} and {name} being replaced
};

/// The lab that `text`, the content of the file `path` (absolute), describes. Throws a
/// LauncherError with file, line and caret.
Lab parse_lab_file(const std::string& path, std::string_view text);

/// The same of a file. Throws a LauncherError also when there is none.
Lab load_lab(const std::string& path);

/// All VMs of the lab, in its file's order.
std::vector<LabVm> lab_vms(const Lab& lab);

/// The VM as the file describes it. Only for one without a template. Throws a LauncherError that
/// names the place of what is wrong.
VmDescription describe_lab_vm(const LabVm& vm);

/// The line of a VM file that says whose the VM is. Whoever removes it makes the VM their own.
std::string lab_mark(const VmName& lab);

/// The lab that has made the VM with this file; empty: none.
std::string lab_of_vm_file(std::string_view vm_file);

/// Whether a VM with this file is one that the lab has made. Its name must be the lab's too, so
/// that a copy is not.
bool has_lab_mark(std::string_view vm_file, const VmName& vm, const VmName& lab);

}  // namespace tapgate
