// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/legacy/options.h"

#include <algorithm>
#include <array>
#include <iterator>

#include "launcher/base/error.h"
#include "launcher/base/text.h"
#include "launcher/foreign/legacy/parts.h"
#include "launcher/foreign/translation/qemu_options.h"

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
    {"D", drop_option, "what QEMU says is in qemu.log in the VM's directory"},
    {"L", keep_option},
    {"M", take_machine},
    {"S", drop_option, not_kept},
    {"accel", take_accel},
    {"acpitable", keep_option},
    {"action", keep_option},
    {"add-fd", drop_option, "the file descriptor belonged to the program that started QEMU"},
    {"alt-grab", drop_option, own_window},
    {"append", take_kernel},
    {"async-teardown", keep_option},
    {"audio", take_audio},
    {"audiodev", drop_option, "the guest's sound is not played on the host"},
    {"balloon", drop_option, "all of tapgate's VMs have a virtio balloon"},
    {"bios", take_bios},
    {"blockdev", take_blockdev},
    {"boot", take_boot},
    {"bootp", take_net},
    {"bt", drop_option, "QEMU no longer has Bluetooth"},
    {"cdrom", take_disk},
    {"chardev", take_part},
    {"chroot", drop_option, "QEMU runs without privileges and in its sandbox"},
    {"clock", drop_option, gone},
    {"compat", keep_option},
    {"cpu", take_cpu},
    {"cpu-throttle", drop_option, gone},
    {"ctrl-grab", drop_option, own_window},
    {"curses", take_screen},
    {"d", keep_option},
    {"daemonize", drop_option,
     "`tapgate start' runs a VM in the background, and QEMU's sandbox and -daemonize exclude "
     "each other"},
    {"debugcon", keep_option},
    {"device", take_device},
    {"dfilter", keep_option},
    {"display", take_display},
    {"drive", take_disk},
    {"dtb", keep_option},
    {"echr", drop_option, own_monitor},
    {"enable-fips", drop_option, gone},
    {"enable-kvm", take_kvm},
    {"enable-nesting", drop_option, "the CPU model says this now: cpu = host, or +vmx or +svm"},
    {"enable-sync-profile", keep_option},
    {"fda", take_disk},
    {"fdb", take_disk},
    {"fsdev", take_part},
    {"full-screen", drop_option, own_window},
    {"fw_cfg", keep_option},
    {"gdb", keep_option},
    {"global", take_global},
    {"hda", take_disk},
    {"hdachs", drop_option, "the guest's firmware works out the geometry itself"},
    {"hdb", take_disk},
    {"hdc", take_disk},
    {"hdd", take_disk},
    {"icount", keep_option},
    {"id", drop_option, "only Proxmox uses this number"},
    {"igd-passthru", drop_option, gone},
    {"incoming", drop_option, not_kept},
    {"initrd", take_kernel},
    {"iscsi", take_iscsi},
    {"jitdump", drop_option, own_process},
    {"k", keep_option},
    {"kernel", take_kernel},
    {"kvm", take_kvm},
    {"kvm-shadow-memory", drop_option, own_accel},
    {"loadvm", drop_option, "the saved state does not fit the new machine"},
    {"localtime", take_localtime},
    {"m", take_memory},
    {"machine", take_machine},
    {"mem-lock", drop_option, not_kept},
    {"mem-path", take_memory_path},
    {"mem-prealloc", keep_option},
    {"mon", drop_option, own_monitor},
    {"monitor", drop_option, own_monitor},
    {"msg", drop_option, own_process},
    {"mtdblock", keep_option},
    {"name", take_name},
    {"net", take_net},
    {"netdev", take_net},
    {"nic", take_net},
    {"no-acpi", take_no_acpi},
    {"no-fd-bootchk", keep_option},
    {"no-frame", drop_option, own_window},
    {"no-hpet", drop_option, "tapgate's machines have no HPET"},
    {"no-kvm", take_tcg},
    {"no-kvm-irqchip", drop_option, own_accel},
    {"no-kvm-pit", drop_option, own_accel},
    {"no-kvm-pit-reinjection", drop_option, "tapgate sets the PIT to lost_tick_policy=delay"},
    {"no-quit", drop_option, own_window},
    {"no-reboot", keep_option},
    {"no-shutdown", drop_option, own_process},
    {"no-user-config", drop_option, own_process},
    {"nodefaults", take_nodefaults},
    {"nodefconfig", drop_option, own_process},
    {"nographic", take_nographic},
    {"nouser", drop_option, gone},
    {"numa", take_numa},
    {"nvram", drop_option, "it is for another kind of machine"},
    {"object", take_part},
    {"old-param", drop_option, gone},
    {"one-insn-per-tb", keep_option},
    {"only-migratable", keep_option},
    {"option-rom", keep_option},
    {"overcommit", take_overcommit},
    {"parallel", drop_option, "tapgate's machines have no parallel port"},
    {"pcidevice", drop_option, "QEMU no longer has it: -device vfio-pci does this now"},
    {"perfmap", drop_option, own_process},
    {"pflash", take_disk},
    {"pidfile", drop_option, own_process},
    {"plugin", keep_option},
    {"portrait", drop_option, own_window},
    {"preconfig", drop_option, not_kept},
    {"prom-env", keep_option},
    {"qmp", drop_option, own_monitor},
    {"qmp-pretty", drop_option, own_monitor},
    {"qtest", drop_option, not_kept},
    {"qtest-log", drop_option, not_kept},
    {"readconfig", take_readconfig},
    {"realtime", take_realtime},
    {"redir", take_redir},
    {"rotate", drop_option, own_window},
    {"rtc", take_rtc},
    {"rtc-td-hack", drop_option, "tapgate sets -rtc driftfix=slew, which is the same"},
    {"run-with", drop_option, own_process},
    {"runas", drop_option, "QEMU runs as your user from the start"},
    {"s", keep_option},
    {"sandbox", drop_option, "QEMU's whole sandbox is on anyway"},
    {"sd", keep_option},
    {"sdl", take_screen},
    {"seed", keep_option},
    {"semihosting", keep_option},
    {"serial", take_serial},
    {"set", drop_option,
     "it changes an option by its id, and tapgate's command line has other ids"},
    {"shim", keep_option},
    {"show-cursor", drop_option, own_window},
    {"singlestep", keep_option},
    {"smb", drop_option, "QEMU's sandbox does not let it start smbd"},
    {"smbios", keep_option},
    {"smp", take_cpus},
    {"snapshot", take_snapshot},
    {"soundhw", take_sound},
    {"spice", take_screen},
    {"startdate", take_startdate},
    {"std-vga", drop_option, "display = vnc comes with the same adapter"},
    {"tb-size", drop_option, "it is tb-size= of -accel tcg now, and has a good default"},
    {"tdf", drop_option, own_accel},
    {"tftp", take_net},
    {"tpmdev", take_part},
    {"trace", keep_option},
    {"usb", drop_option, own_usb},
    {"usbdevice", take_usb_device},
    {"uuid", take_uuid},
    {"vga", take_vga},
    {"virtfs", keep_option},
    {"virtioconsole", drop_option, gone},
    {"vmchannel", drop_option, gone},
    {"vmstate", drop_option, not_kept},
    {"vnc", take_vnc},
    {"watchdog", take_watchdog},
    {"watchdog-action", keep_option},
    {"win2k-hack", keep_option},
    {"writeconfig", drop_option, not_kept},
    {"xen-attach", drop_option, own_process},
    {"xen-create", drop_option, own_process},
    {"xen-domid", drop_option, own_process},
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
        const bool has_value = takes_value(name);
        if (asks_for_help(name, has_value && i + 1 < words.size() ? std::string_view(words[i + 1])
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
        if (!has_value) {
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
