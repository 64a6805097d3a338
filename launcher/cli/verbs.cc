// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/cli/verbs.h"

#include <algorithm>
#include <string>

#include "launcher/cli/describe_verbs.h"
#include "launcher/cli/image_verbs.h"
#include "launcher/cli/import_verbs.h"
#include "launcher/cli/lab_verbs.h"
#include "launcher/cli/life_verbs.h"
#include "launcher/cli/look_verbs.h"
#include "launcher/cli/network_verbs.h"
#include "launcher/cli/tap_verbs.h"
#include "launcher/cli/translate_verbs.h"

namespace tapgate {

namespace {

constexpr Verb all_verbs[] = {
    // Describing
    {"create", "NAME", 1, 1, true, Rest::qemu_arguments, "write the VM file of NAME", create_vm},
    {"edit", "NAME", 1, 1, false, Rest::nothing, "change the VM file in your editor, and check it",
     edit_vm},
    {"show", "NAME", 1, 1, true, Rest::qemu_arguments,
     "print each setting, and where it comes from", show_vm},
    {"argv", "NAME", 1, 1, true, Rest::qemu_arguments, "print QEMU's command line; start nothing",
     print_argv},
    {"completion", "bash|zsh", 1, 1, false, Rest::nothing,
     "print what makes the shell complete tapgate's words", print_completion},
    {"delete", "NAME", 1, 1, false, Rest::nothing, "remove the VM file and what belongs to it",
     delete_vm},

    // Living
    {"run", "NAME|IMAGE", 1, 1, true, Rest::qemu_arguments,
     "run the VM here, its console on the terminal", run_vm},
    {"start", "NAME|IMAGE", 1, 1, true, Rest::qemu_arguments, "run the VM in the background",
     start_vm},
    {"stop", "NAME", 1, 1, false, Rest::nothing, "ask the guest to power down, and wait for it",
     stop_vm},
    {"kill", "NAME", 1, 1, false, Rest::nothing, "end the VM at once, its guest loses its power",
     kill_vm},
    {"restart", "NAME", 1, 1, true, Rest::qemu_arguments, "stop, then start", restart_vm},
    {"reset", "NAME", 1, 1, false, Rest::nothing, "press the guest's reset button", reset_vm},
    {"pause", "NAME", 1, 1, false, Rest::nothing, "let the guest stand still", pause_vm},
    {"resume", "NAME", 1, 1, false, Rest::nothing, "let a paused guest go on", resume_vm},

    // Looking
    {"list", "", 0, 0, false, Rest::nothing, "print the VMs that run, or crashed", list_vms},
    {"status", "NAME", 1, 1, false, Rest::nothing, "print what is known of a VM", print_status},
    {"console", "NAME", 1, 1, false, Rest::nothing, "the guest's serial console, here",
     attach_console},
    {"log", "NAME", 1, 1, false, Rest::nothing, "print what the guest has written to its console",
     print_log},
    {"vnc", "NAME", 1, 1, false, Rest::nothing, "print where a viewer finds the guest's screen",
     print_vnc},
    {"screenshot", "NAME FILE", 2, 2, false, Rest::nothing,
     "write the guest's screen to FILE, as PNG", take_screenshot},

    // Images
    {"clone", "NAME NEW", 2, 2, true, Rest::qemu_arguments,
     "make the VM NEW, which starts as NAME is and keeps only what differs", clone_vm},
    {"snapshot", "save|list|restore|delete NAME [TAG]", 2, 3, false, Rest::nothing,
     "keep states of the VM's disks, and of its RAM when it runs, to go back to", keep_snapshots},
    {"seed", "NAME", 1, 1, false, Rest::nothing,
     "tell a cloud image's guest who may log in, and what it is called", seed_vm},
    {"resize", "NAME SIZE [DISK]", 2, 3, false, Rest::nothing,
     "let a disk grow; DISK is its number, 0 the first", resize_disk},

    // Several at once
    {"lab", "up|down|status|reset|destroy FILE", 2, 2, false, Rest::nothing,
     "start, stop, look at, reset or remove the VMs of a lab", control_lab},

    // The network
    {"bridges", "[BRIDGE]", 0, 1, false, Rest::nothing, "list bridges, and whose each port is",
     show_bridges},
    {"ip", "NAME", 1, 1, false, Rest::nothing, "print the addresses of the guest", show_addresses},
    {"ssh", "NAME [-- COMMAND...]", 1, 1, false, Rest::words, "log in to the guest", ssh_to_vm},
    {"ssh-config", "NAME", 1, 1, false, Rest::nothing,
     "print what ~/.ssh/config needs for the guest", print_ssh_config},
    {"wait", "NAME", 1, 1, false, Rest::nothing, "wait until the guest is ready", wait_for_vm},
    {"doctor", "[NAME]", 0, 1, false, Rest::nothing, "look for what keeps VMs from working",
     run_doctor},
    {"tap", "--bridge=BRIDGE -- COMMAND...", 0, 0, false, Rest::words,
     "run any program with a tap on a bridge", run_with_tap},

    // Bringing along
    {"translate", "[FILE]", 0, 1, true, Rest::words,
     "describe the VM of an old QEMU command line: a script's, or behind --", translate_vm},
    {"import", "FILE [NAME]", 1, 2, true, Rest::nothing,
     "make a VM of a foreign image, an OVA or OVF, or a libvirt domain's XML", import_vm},
};

constexpr VerbOption all_options[] = {
    {"json", 0, "", "show argv list status bridges ip doctor translate snapshot lab", "print JSON"},
    {"all", 'a', "", "list", "also the VMs that are off"},
    {"qemu", 0, "", "log", "what QEMU has written, instead"},
    {"null", '0', "", "argv", "end each argument with a NUL byte, as xargs -0 reads them"},
    {"plain-bridge", 0, "", "argv run start restart",
     "let QEMU start the helper itself, without its sandbox, instead of giving it descriptors"},
    {"helper", 0, "PATH", "argv run start restart doctor tap lab",
     "another helper than the installed one"},
    {"powerdown-limit", 0, "SECONDS", "run start restart",
     "when a signal ends the VM: how long its guest may take to power down (90)"},
    {"timeout", 0, "SECONDS", "stop restart wait snapshot lab",
     "how long the guest may take to power down (90), or to be ready (120), or QEMU for a snapshot "
     "(600)"},
    {"force", 0, "", "stop restart reset lab",
     "cut the guest's power: when that time is over, or before a reset to the base"},
    {"to-base", 0, "", "reset", "give up what a clone has written to its disks"},
    {"verify", 0, "", "status", "read what a clone stands on, and compare it with what it was"},
    {"user", 'l', "USER", "ssh ssh-config seed", "who to be in the guest"},
    {"ssh-key", 0, "FILE", "seed", "the public key that opens the guest (yours in ~/.ssh)"},
    {"hostname", 0, "HOST", "seed", "the guest's hostname (the VM's name)"},
    {"user-data", 0, "FILE", "seed", "cloud-init's user-data, in the place of user and key"},
    {"network-config", 0, "FILE", "seed", "cloud-init's network configuration (DHCP)"},
    {"bridge", 0, "BRIDGE", "doctor tap",
     "the tap's bridge; or the one to look at, and not the VM's or br0"},
    {"for", 0, "ssh|agent|address|running", "wait", "what to wait for (ssh)"},
    {"disks", 0, "", "delete", "remove the VM's own disks too, those in its data directory"},
    {"yes", 'y', "", "delete lab", "do not ask"},
    {"fd", 0, "N", "tap", "the tap's descriptor (3); more queues are at the next numbers"},
    {"queues", 0, "N", "tap", "how many queues, each a descriptor (1)"},
    {"mac", 0, "MAC", "tap", "the guest's MAC address"},
    {"vm", 0, "NAME", "tap", "the VM's name, for `bridges' and the log"},
    {"no-vnet", 0, "", "tap", "frames without a vnet header"},
    {"create", 0, "NAME", "translate", "write the VM file of NAME, too"},
    {"pid", 0, "N", "translate", "read the command line of this running QEMU"},
    {"argv", 0, "", "translate", "print the new command line, too"},
    {"format", 0, "FORMAT", "import", "the image's format, where its name does not tell it"},
    {"virtio", 0, "", "import", "disk and adapter on virtio, which the guest needs drivers for"},
    // Between start and the supervisor that it starts.
    {"ready-fd", 0, "FD", "run", ""},
};

}  // namespace

std::span<const Verb> verbs() {
    return all_verbs;
}
std::span<const VerbOption> verb_options() {
    return all_options;
}

const Verb* find_verb(std::string_view name) {
    const auto* const found = std::find_if(std::begin(all_verbs), std::end(all_verbs),
                                           [&](const Verb& verb) { return verb.name == name; });
    return found == std::end(all_verbs) ? nullptr : found;
}

bool takes(const Verb& verb, const VerbOption& option) {
    const std::string names = " " + std::string(option.verbs) + " ";
    return names.find(" " + std::string(verb.name) + " ") != std::string::npos;
}

}  // namespace tapgate
