// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/legacy/options.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "launcher/base/error.h"
#include "launcher/base/text.h"
#include "launcher/foreign/legacy/parts.h"

namespace tapgate {

namespace {

constexpr std::string_view own_usb =
    "a VM with a screen has a USB controller, and each USB device that is kept has one of its own";
constexpr std::string_view own_window = "tapgate opens no window on the host: see display =";
constexpr std::string_view own_process = "tapgate starts, watches and stops QEMU itself";
constexpr std::string_view own_monitor =
    "tapgate has a QMP socket of its own, which nobody else can open";
constexpr std::string_view own_accel = "QEMU no longer has it: KVM does this by itself";
constexpr std::string_view not_kept = "it belongs to one run of QEMU, not to the VM";
constexpr std::string_view gone = "QEMU no longer has it";

// Sorted by name.
constexpr LegacyOptionKind kinds[] = {
    {"D", true, drop_option, "what QEMU says is in qemu.log in the VM's directory"},
    {"L", true, keep_option},
    {"M", true, take_machine},
    {"S", false, drop_option, not_kept},
    {"accel", true, take_accel},
    {"acpitable", true, keep_option},
    {"action", true, keep_option},
    {"add-fd", true, drop_option, "the file descriptor belonged to the program that started QEMU"},
    {"alt-grab", false, drop_option, own_window},
    {"append", true, take_kernel},
    {"async-teardown", false, keep_option},
    {"audio", true, take_audio},
    {"audiodev", true, drop_option, "the guest's sound is not played on the host"},
    {"balloon", true, drop_option, "all of tapgate's VMs have a virtio balloon"},
    {"bios", true, take_bios},
    {"blockdev", true, take_blockdev},
    {"boot", true, take_boot},
    {"bootp", true, take_net},
    {"bt", true, drop_option, "QEMU no longer has Bluetooth"},
    {"cdrom", true, take_disk},
    {"chardev", true, take_part},
    {"chroot", true, drop_option, "QEMU runs without privileges and in its sandbox"},
    {"clock", true, drop_option, gone},
    {"compat", true, keep_option},
    {"cpu", true, take_cpu},
    {"cpu-throttle", true, drop_option, gone},
    {"ctrl-grab", false, drop_option, own_window},
    {"curses", false, take_screen},
    {"d", true, keep_option},
    {"daemonize", false, drop_option,
     "`tapgate start' runs a VM in the background, and QEMU's sandbox and -daemonize exclude "
     "each other"},
    {"debugcon", true, keep_option},
    {"device", true, take_device},
    {"dfilter", true, keep_option},
    {"display", true, take_display},
    {"drive", true, take_disk},
    {"dtb", true, keep_option},
    {"echr", true, drop_option, own_monitor},
    {"enable-fips", false, drop_option, gone},
    {"enable-kvm", false, take_kvm},
    {"enable-nesting", false, drop_option,
     "the CPU model says this now: cpu = host, or +vmx or +svm"},
    {"enable-sync-profile", false, keep_option},
    {"fda", true, take_disk},
    {"fdb", true, take_disk},
    {"fsdev", true, take_part},
    {"full-screen", false, drop_option, own_window},
    {"fw_cfg", true, keep_option},
    {"gdb", true, keep_option},
    {"global", true, take_global},
    {"hda", true, take_disk},
    {"hdachs", true, drop_option, "the guest's firmware works out the geometry itself"},
    {"hdb", true, take_disk},
    {"hdc", true, take_disk},
    {"hdd", true, take_disk},
    {"icount", true, keep_option},
    {"id", true, drop_option, "only Proxmox uses this number"},
    {"igd-passthru", false, drop_option, gone},
    {"incoming", true, drop_option, not_kept},
    {"initrd", true, take_kernel},
    {"iscsi", true, take_iscsi},
    {"jitdump", false, drop_option, own_process},
    {"k", true, keep_option},
    {"kernel", true, take_kernel},
    {"kvm", false, take_kvm},
    {"kvm-shadow-memory", true, drop_option, own_accel},
    {"loadvm", true, drop_option, "the saved state does not fit the new machine"},
    {"localtime", false, take_localtime},
    {"m", true, take_memory},
    {"machine", true, take_machine},
    {"mem-lock", true, drop_option, not_kept},
    {"mem-path", true, take_memory_path},
    {"mem-prealloc", false, keep_option},
    {"mon", true, drop_option, own_monitor},
    {"monitor", true, drop_option, own_monitor},
    {"msg", true, drop_option, own_process},
    {"mtdblock", true, keep_option},
    {"name", true, take_name},
    {"net", true, take_net},
    {"netdev", true, take_net},
    {"nic", true, take_net},
    {"no-acpi", false, take_no_acpi},
    {"no-fd-bootchk", false, keep_option},
    {"no-frame", false, drop_option, own_window},
    {"no-hpet", false, drop_option, "tapgate's machines have no HPET"},
    {"no-kvm", false, take_tcg},
    {"no-kvm-irqchip", false, drop_option, own_accel},
    {"no-kvm-pit", false, drop_option, own_accel},
    {"no-kvm-pit-reinjection", false, drop_option,
     "tapgate sets the PIT to lost_tick_policy=delay"},
    {"no-quit", false, drop_option, own_window},
    {"no-reboot", false, keep_option},
    {"no-shutdown", false, drop_option, own_process},
    {"no-user-config", false, drop_option, own_process},
    {"nodefaults", false, take_nodefaults},
    {"nodefconfig", false, drop_option, own_process},
    {"nographic", false, take_nographic},
    {"nouser", false, drop_option, gone},
    {"numa", true, take_numa},
    {"nvram", true, drop_option, "it is for another kind of machine"},
    {"object", true, take_part},
    {"old-param", false, drop_option, gone},
    {"one-insn-per-tb", false, keep_option},
    {"only-migratable", false, keep_option},
    {"option-rom", true, keep_option},
    {"overcommit", true, take_overcommit},
    {"parallel", true, drop_option, "tapgate's machines have no parallel port"},
    {"pcidevice", true, drop_option, "QEMU no longer has it: -device vfio-pci does this now"},
    {"perfmap", false, drop_option, own_process},
    {"pflash", true, take_disk},
    {"pidfile", true, drop_option, own_process},
    {"plugin", true, keep_option},
    {"portrait", false, drop_option, own_window},
    {"preconfig", false, drop_option, not_kept},
    {"prom-env", true, keep_option},
    {"qmp", true, drop_option, own_monitor},
    {"qmp-pretty", true, drop_option, own_monitor},
    {"qtest", true, drop_option, not_kept},
    {"qtest-log", true, drop_option, not_kept},
    {"readconfig", true, take_readconfig},
    {"realtime", true, take_realtime},
    {"redir", true, take_redir},
    {"rotate", true, drop_option, own_window},
    {"rtc", true, take_rtc},
    {"rtc-td-hack", false, drop_option, "tapgate sets -rtc driftfix=slew, which is the same"},
    {"run-with", true, drop_option, own_process},
    {"runas", true, drop_option, "QEMU runs as your user from the start"},
    {"s", false, keep_option},
    {"sandbox", true, drop_option, "QEMU's whole sandbox is on anyway"},
    {"sd", true, keep_option},
    {"sdl", false, take_screen},
    {"seed", true, keep_option},
    {"semihosting", false, keep_option},
    {"serial", true, take_serial},
    {"set", true, drop_option,
     "it changes an option by its id, and tapgate's command line has other ids"},
    {"shim", true, keep_option},
    {"show-cursor", false, drop_option, own_window},
    {"singlestep", false, keep_option},
    {"smb", true, drop_option, "QEMU's sandbox does not let it start smbd"},
    {"smbios", true, keep_option},
    {"smp", true, take_cpus},
    {"snapshot", false, take_snapshot},
    {"soundhw", true, take_sound},
    {"spice", true, take_screen},
    {"startdate", true, take_startdate},
    {"std-vga", false, drop_option, "display = vnc comes with the same adapter"},
    {"tb-size", true, drop_option, "it is tb-size= of -accel tcg now, and has a good default"},
    {"tdf", false, drop_option, own_accel},
    {"tftp", true, take_net},
    {"tpmdev", true, take_part},
    {"trace", true, keep_option},
    {"usb", false, drop_option, own_usb},
    {"usbdevice", true, take_usb_device},
    {"uuid", true, take_uuid},
    {"vga", true, take_vga},
    {"virtfs", true, keep_option},
    {"virtioconsole", true, drop_option, gone},
    {"vmchannel", true, drop_option, gone},
    {"vmstate", true, drop_option, not_kept},
    {"vnc", true, take_vnc},
    {"watchdog", true, take_watchdog},
    {"watchdog-action", true, keep_option},
    {"win2k-hack", false, keep_option},
    {"writeconfig", true, drop_option, not_kept},
    {"xen-attach", false, drop_option, own_process},
    {"xen-create", false, drop_option, own_process},
    {"xen-domid", true, drop_option, own_process},
};

const LegacyOptionKind* find_kind(std::string_view name) {
    const auto* const found = std::find_if(std::begin(kinds), std::end(kinds),
                                           [&](const auto& kind) { return kind.name == name; });
    return found == std::end(kinds) ? nullptr : found;
}

// With `hints`, it looks for an option that may be meant.
std::string unknown_option(const std::string& word, std::string_view name, bool hints) {
    std::string hint;
    if (hints) {
        std::vector<std::string_view> names;
        for (const LegacyOptionKind& kind : kinds)
            names.push_back(kind.name);
        hint = did_you_mean(name, names);
    }
    return quoted_word(word) + " is not an option of QEMU that tapgate knows" + hint +
           "; if your QEMU has it, add it with --qemu-arg";
}

bool asks_for_help(std::string_view name, std::string_view value) {
    constexpr std::string_view questions[] = {"help", "h", "version", "?"};
    const auto is_question = [&](std::string_view word) {
        return std::find(std::begin(questions), std::end(questions), word) != std::end(questions);
    };
    return is_question(name) || value == "help" || value == "?";
}

// Refuses a word that a web page has put into its own quotes, which no shell takes off. Inside of a
// name they may be meant.
void require_plain_quotes(const std::string& word) {
    constexpr std::array<std::string_view, 3> quotes = {"\xe2\x80\x9c", "\xe2\x80\x9d",
                                                        "\xe2\x80\x98"};
    for (const std::string_view quote : quotes) {
        if (word.starts_with(quote) || word.find("=" + std::string(quote)) != std::string::npos)
            throw LauncherError(quoted_word(word) +
                                " has typographic quotes, as copied from a web page, which QEMU "
                                "would take for a part of the value: write \" or '");
    }
}

// Refuses a value such as <OSK>, as a manual has it for what its readers fill in. Without quotes, a
// shell would take it for names of files, so that it is refused before.
void require_filled_in(const std::string& word) {
    constexpr std::string_view inside =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-. ";
    for (size_t at = word.find('<'); at != std::string::npos; at = word.find('<', at + 1)) {
        const size_t end = std::min(word.find_first_not_of(inside, at + 1), word.size());
        const bool whole = (at == 0 || word[at - 1] == '=') &&
                           (end + 1 == word.size() || (end < word.size() && word[end + 1] == ','));
        if (whole && end > at + 1 && word[end] == '>')
            throw LauncherError(quoted_word(word) + " has " + word.substr(at, end + 1 - at) +
                                ", which stands for something: write that in its place");
    }
}

}  // namespace

std::vector<LegacyOption> parse_legacy_options(const std::vector<std::string>& words) {
    std::vector<LegacyOption> options;
    constexpr unsigned most_hints = 100;  // there may be any number of unknown words
    unsigned unknowns = 0;
    std::for_each(words.begin(), words.end(), require_plain_quotes);
    for (size_t i = 0; i < words.size(); i++) {
        const std::string& word = words[i];
        if (word.find('\0') != std::string::npos)
            throw LauncherError(quoted_word(word) +
                                ": it has a NUL byte in it, which no command line can have");
        if (!word.starts_with('-') || word == "-") {
            require_filled_in(word);
            options.push_back({nullptr, word, shell_text({word}), {}});
            continue;
        }
        const std::string_view name = std::string_view(word).substr(word.starts_with("--") ? 2 : 1);
        const LegacyOptionKind* const kind = find_kind(name);
        if (asks_for_help(name, kind != nullptr && kind->has_value && i + 1 < words.size()
                                    ? std::string_view(words[i + 1])
                                    : std::string_view()))
            throw LauncherError(quoted_word(word) +
                                " only asks QEMU for information and starts no VM");
        if (kind == nullptr) {
            LegacyOption unknown{nullptr,
                                 {},
                                 shell_text({word}),
                                 unknown_option(word, name, ++unknowns <= most_hints)};
            if (i + 1 < words.size() && !words[i + 1].starts_with('-'))
                unknown.text += " " + shell_text({words[++i]});
            options.push_back(std::move(unknown));
            continue;
        }
        if (!kind->has_value) {
            options.push_back({kind, {}, word, {}});
            continue;
        }
        if (i + 1 == words.size())
            throw LauncherError(quoted_word(word) + " at the end needs a value");
        i++;
        // Whatever the guest's kernel makes of it.
        if (kind->name != "append")
            require_filled_in(words[i]);
        options.push_back({kind, words[i], word + " " + shell_text({words[i]}), {}});
    }
    return options;
}

}  // namespace tapgate
