// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/translate.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>

#include "launcher/base/error.h"
#include "launcher/base/text.h"
#include "launcher/foreign/legacy_disks.h"
#include "launcher/foreign/legacy_nets.h"
#include "launcher/foreign/legacy_options.h"
#include "launcher/qemu/argv.h"
#include "launcher/vm/name.h"

namespace tapgate {

namespace {

std::string_view base_name(std::string_view path) {
    return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

bool is_qemu(std::string_view word) {
    const std::string_view name = base_name(word);
    return name == "qemu" || (name == "kvm" && word != "/dev/kvm") || name == "qemu-kvm" ||
           name.starts_with("qemu-system-");
}

// Programs that start the program that they are given.
bool starts_others(std::string_view word) {
    constexpr std::array<std::string_view, 27> names = {
        "!",     "{",       "chrt",    "command",  "do",     "doas",   "elif",
        "else",  "env",     "exec",    "firejail", "if",     "ionice", "nice",
        "nohup", "numactl", "prlimit", "screen",   "setsid", "stdbuf", "strace",
        "sudo",  "taskset", "then",    "time",     "tmux",   "while"};
    return std::find(names.begin(), names.end(), base_name(word)) != names.end();
}

bool is_virtio(std::string_view driver, std::string_view kind) {
    return driver.starts_with("virtio-" + std::string(kind));
}

template <size_t n>
bool is_one_of(std::string_view word, const std::array<std::string_view, n>& words) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

std::string no_qemu(std::string_view word) {
    const std::string_view name = base_name(word);
    return quoted_word(word) + " is no QEMU" +
           (name.starts_with("qemu") || name.starts_with("kvm")
                ? ": have the blanks in front of its options been lost?"
                : "; give a command line from QEMU's name on");
}

// The place of QEMU's name in the words of a command.
std::vector<std::string>::const_iterator find_qemu(const std::vector<std::string>& words) {
    if (words.empty() || is_qemu(words[0]))
        return words.begin();
    if (!starts_others(words[0]))
        return words.end();
    return std::find_if(words.begin(), words.end(), is_qemu);
}

void add_reason(std::string& why, std::string_view reason) {
    why.append(why.empty() ? "" : "; ").append(reason);
}

std::optional<unsigned> whole_number(std::string_view text) {
    unsigned number = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (text.empty() || error != std::errc() || stop != end)
        return std::nullopt;
    return number;
}

// A size as QEMU reads it, in MiB, rounded up; a bare number is MiB.
std::optional<std::uint64_t> mebibytes(std::string_view text) {
    double number = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    const std::string_view unit = text.substr(static_cast<size_t>(stop - text.data()));
    if (error != std::errc() || unit.size() > 1 || !std::isfinite(number))
        return std::nullopt;
    double factor = 1;
    switch (unit.empty() ? 'm' : unit[0] | 0x20) {
        case 'b':
            factor = 1.0 / (1024 * 1024);
            break;
        case 'k':
            factor = 1.0 / 1024;
            break;
        case 'm':
            break;
        case 'g':
            factor = 1024;
            break;
        case 't':
            factor = 1024.0 * 1024;
            break;
        default:
            return std::nullopt;
    }
    const double size = std::ceil(number * factor);
    constexpr double most = 16.0 * 1024 * 1024;
    if (size < 1 || size > most)
        return std::nullopt;
    return static_cast<std::uint64_t>(size);
}

class Translator {
  public:
    explicit Translator(const std::string& directory) { machine_.directory = directory; }

    Translation translate(const ShellCommand& command) {
        const auto& words = command.words;
        if (words.empty())
            throw LauncherError("there is no command line");
        // Part of a command line, as copied from a list of processes.
        if (words[0].starts_with('-')) {
            partial_ = nets_.partial = true;
            return finish(words, command);
        }
        const auto first = find_qemu(words);
        if (first == words.end())
            throw LauncherError(no_qemu(words[0]));
        for (auto word = words.begin(); word != first; ++word)
            around_.push_back(*word);
        take_program(*first);
        return finish({first + 1, words.end()}, command);
    }

  private:
    Translation finish(const std::vector<std::string>& words, const ShellCommand& command) {
        const std::vector<LegacyOption> options = parse_legacy_options(words);
        for (const LegacyOption& option : options)
            take(option);
        // From here on: each option is a note, or waits in a member for its others.
        add_machine();
        add_memory();
        for (const LegacyDevice& device : devices_)
            note_boot_index(device);
        translate_disks(disks_, devices_, machine_, result_);
        translate_nets(nets_, devices_, result_);
        add_devices();
        add_chardevs();
        add_display();
        add_boot();
        add_surroundings(command);
        // qemu-arg is for what stands behind everything else.
        std::stable_partition(result_.settings.begin(), result_.settings.end(),
                              [](const auto& setting) { return setting.first != "qemu-arg"; });
        return std::move(result_);
    }

    void take_program(const std::string& word) {
        const std::string_view name = base_name(word);
        constexpr std::string_view prefix = "qemu-system-";
        if (name.starts_with(prefix) && name != "qemu-system-x86_64" && name != "qemu-system-i386")
            throw LauncherError(quoted_word(word) +
                                ": tapgate makes PCs, and this is a machine of another kind");
        if (name == "qemu-system-x86_64")
            return;
        result_.changed(word, "qemu-system-x86_64",
                        name == "qemu-system-i386" || name == "qemu"
                            ? "it runs guests of 32 bits as well"
                            : "with KVM where /dev/kvm can be opened");
    }

    // --- options one by one -----------------------------------------------------------------

    void take(const LegacyOption& option) {
        if (option.kind == nullptr) {
            add_drive(option.text, "file=" + commas_doubled(option.value) + ",index=0");
            return;
        }
        switch (option.kind->fate) {
            case OptionFate::kept:
                keep(option);
                break;
            case OptionFate::kept_path:
                result_.keep(option.text,
                             {"-" + std::string(option.kind->name), absolute(option.value)});
                break;
            case OptionFate::dropped:
                result_.dropped(option.text, std::string(option.kind->why));
                break;
            case OptionFate::translated:
                handlers().at(option.kind->name)(*this, option);
                break;
        }
    }

    void keep(const LegacyOption& option) {
        std::vector<std::string> arguments = {"-" + std::string(option.kind->name)};
        if (option.kind->has_value)
            arguments.push_back(option.value);
        result_.keep(option.text, arguments);
    }

    using Handler = void (*)(Translator&, const LegacyOption&);

    static const std::map<std::string_view, Handler>& handlers() {
        using T = Translator;
        using O = LegacyOption;
        static const std::map<std::string_view, Handler> table = {
            {"M", [](T& t, const O& o) { t.take_machine(o); }},
            {"machine", [](T& t, const O& o) { t.take_machine(o); }},
            {"accel", [](T& t, const O& o) { t.take_accel(o); }},
            {"enable-kvm", [](T& t, const O& o) { t.take_kvm(o); }},
            {"enable-nesting",
             [](T& t, const O& o) {
                 t.result_.dropped(o.text, "the CPU model says it: cpu = host, or +vmx or +svm");
             }},
            {"no-kvm", [](T& t, const O& o) { t.take_tcg(o); }},
            {"m", [](T& t, const O& o) { t.take_memory(o); }},
            {"smp", [](T& t, const O& o) { t.take_cpus(o); }},
            {"cpu", [](T& t, const O& o) { t.take_cpu(o); }},
            {"name", [](T& t, const O& o) { t.take_name(o); }},
            {"append", [](T& t, const O& o) { t.take_text("append", o); }},
            {"kernel", [](T& t, const O& o) { t.take_text("kernel", o); }},
            {"initrd", [](T& t, const O& o) { t.take_text("initrd", o); }},
            {"hda", [](T& t, const O& o) { t.take_hd(o, 0); }},
            {"hdb", [](T& t, const O& o) { t.take_hd(o, 1); }},
            {"hdc", [](T& t, const O& o) { t.take_hd(o, 2); }},
            {"hdd", [](T& t, const O& o) { t.take_hd(o, 3); }},
            {"fda", [](T& t, const O& o) { t.take_floppy(o, 0); }},
            {"fdb", [](T& t, const O& o) { t.take_floppy(o, 1); }},
            {"pflash",
             [](T& t, const O& o) {
                 t.add_drive(o.text, "if=pflash,file=" + commas_doubled(o.value));
             }},
            {"bios", [](T& t, const O& o) { t.take_bios(o); }},
            {"cdrom",
             [](T& t, const O& o) {
                 t.add_drive(o.text,
                             "media=cdrom,index=2,file=" + commas_doubled(o.value));
             }},
            {"drive", [](T& t, const O& o) { t.add_drive(o.text, o.value); }},
            {"blockdev",
             [](T& t, const O& o) {
                 t.disks_.nodes.push_back({o.text, Properties::parse(o.value, "driver")});
             }},
            {"device",
             [](T& t, const O& o) {
                 t.devices_.push_back({o.text, Properties::parse(o.value, "driver")});
             }},
            {"net", [](T& t, const O& o) { add_net(t.nets_, o.value, o.text); }},
            {"netdev", [](T& t, const O& o) { add_netdev(t.nets_, o.value, o.text); }},
            {"nic", [](T& t, const O& o) { add_nic(t.nets_, o.value, o.text); }},
            {"redir", [](T& t, const O& o) { t.take_redir(o); }},
            {"tftp", [](T& t, const O& o) { t.take_user_option("tftp", o); }},
            {"bootp", [](T& t, const O& o) { t.take_user_option("bootfile", o); }},
            {"nodefaults",
             [](T& t, const O& o) {
                 t.nets_.defaults = false;
                 t.result_.dropped(o.text, "so it is with all of tapgate's VMs");
             }},
            {"display", [](T& t, const O& o) { t.take_display(o); }},
            {"nographic", [](T& t, const O& o) { t.say_no_screen(o); }},
            {"vnc", [](T& t, const O& o) { t.take_vnc(o); }},
            {"curses", [](T& t, const O& o) { t.take_screen(o); }},
            {"sdl", [](T& t, const O& o) { t.take_screen(o); }},
            {"spice", [](T& t, const O& o) { t.take_screen(o); }},
            {"vga", [](T& t, const O& o) { t.take_vga(o); }},
            {"std-vga",
             [](T& t, const O& o) { t.result_.dropped(o.text, "so is the screen of display=vnc"); }},
            {"boot", [](T& t, const O& o) { t.take_boot(o); }},
            {"snapshot",
             [](T& t, const O& o) {
                 t.result_.set("snapshot", "on");
                 t.result_.changed(o.text, "snapshot = on");
             }},
            {"daemonize",
             [](T& t, const O& o) {
                 t.result_.dropped(o.text, "`tapgate start' runs a VM in the background, and "
                                           "QEMU's sandbox and -daemonize exclude each other");
             }},
            {"localtime", [](T& t, const O& o) { t.take_clock(o, "localtime"); }},
            {"startdate",
             [](T& t, const O& o) {
                 t.take_clock(o, o.value == "now" ? "utc" : o.value);
             }},
            {"rtc", [](T& t, const O& o) { t.take_rtc(o); }},
            {"serial", [](T& t, const O& o) { t.take_serial(o); }},
            {"chardev", [](T& t, const O& o) { t.chardevs_.push_back(o); }},
            {"soundhw", [](T& t, const O& o) { t.take_sound(o); }},
            {"audiodev",
             [](T& t, const O& o) {
                 t.result_.dropped(o.text, "sound goes nowhere: nobody listens on the host");
             }},
            {"usbdevice", [](T& t, const O& o) { t.take_usb_device(o); }},
            {"balloon",
             [](T& t, const O& o) {
                 t.result_.dropped(o.text, "all of tapgate's VMs have a virtio balloon");
             }},
            {"watchdog",
             [](T& t, const O& o) {
                 t.result_.keep(o.text, {"-device", o.value}, "QEMU has dropped -watchdog");
             }},
            {"no-acpi",
             [](T& t, const O& o) {
                 t.result_.keep(o.text, {"-machine", "acpi=off"}, "QEMU has dropped -no-acpi");
             }},
            {"realtime", [](T& t, const O& o) { t.take_realtime(o); }},
            {"numa", [](T& t, const O& o) { t.take_numa(o); }},
            {"global", [](T& t, const O& o) { t.take_global(o); }},
            {"object", [](T& t, const O& o) { t.take_object(o); }},
        };
        return table;
    }

    [[nodiscard]] std::string absolute(const std::string& path) const {
        return path.starts_with('/') ? path : machine_.directory + "/" + path;
    }

    void set(const std::string& was, const std::string& key, const std::string& value,
             const std::string& why = {}) {
        result_.set(key, value);
        result_.changed(was, key + " = " + value, why);
    }

    void take_text(const std::string& key, const LegacyOption& option) {
        // Blanks at the ends mean nothing, and a VM file cannot have them.
        const std::string& value = option.value;
        const size_t first = std::min(value.find_first_not_of(" \t"), value.size());
        set(option.text, key, value.substr(first, value.find_last_not_of(" \t") + 1 - first));
    }

    // The machine's type decides what the disks are on, so it is chosen at the end.
    void take_machine(const LegacyOption& option) {
        Properties properties = Properties::parse(option.value, "type");
        std::string why;
        if (const auto accel = properties.take("accel"))
            choose_accelerator(*accel, why);
        properties.take("type");
        if (properties.take("pflash0")) {
            result_.set("firmware", "uefi");
            add_reason(why, "pflash0= is firmware = uefi");
        }
        properties.take("pflash1");
        // Nothing but a type: what is said of the guest's devices is ours to say.
        if (!properties.all().empty())
            add_reason(why, "left out: " + listed(properties.all()));
        Properties again = Properties::parse(option.value, "type");
        if (const auto type = again.take("type"))
            machine_type_ = *type;
        machine_was_ += (machine_was_.empty() ? "" : " ") + option.text;
        machine_why_ += (machine_why_.empty() || why.empty() ? "" : "; ") + why;
    }

    void choose_accelerator(const std::string& word, std::string& why) {
        const std::string first = word.substr(0, word.find(':'));
        if (first == "kvm") {
            add_reason(why, "KVM where /dev/kvm can be opened");
        } else if (first == "tcg") {
            tcg_ = true;
            if (!machine_was_.empty() || word.find(':') != std::string::npos)
                add_reason(why, "accel = tcg");
        } else {
            add_reason(why, "accelerator " + first + " is none of tapgate's: kvm and tcg are");
        }
    }

    void take_accel(const LegacyOption& option) {
        Properties properties = Properties::parse(option.value, "accel");
        std::string why;
        choose_accelerator(properties.take("accel").value_or(""), why);
        if (!properties.all().empty())
            add_reason(why, "left out: " + listed(properties.all()));
        result_.changed(option.text, tcg_ ? "accel = tcg" : "accel = auto", why);
    }

    void take_kvm(const LegacyOption& option) {
        result_.changed(option.text, "accel = auto", "KVM where /dev/kvm can be opened");
    }
    void take_tcg(const LegacyOption& option) {
        tcg_ = true;
        result_.changed(option.text, "accel = tcg");
    }

    void add_machine() {
        std::string type = "pc";
        std::string why = machine_why_;
        if (machine_type_.starts_with("q35") || machine_type_.starts_with("pc-q35"))
            type = "q35";
        else if (!machine_type_.empty() && !machine_type_.starts_with("pc") &&
                 !machine_type_.starts_with("rhel") && !machine_type_.starts_with("xenfv"))
            throw LauncherError(quoted_word(machine_was_) +
                                ": tapgate makes PCs (pc, q35), and this is another machine");
        machine_.q35 = type == "q35";
        result_.set("machine", type);
        if (machine_type_.empty())
            result_.added("machine = pc",
                          "QEMU's default, which the guest knows; tapgate's is q35");
        if (!machine_type_.empty() && machine_type_ != type)
            why.insert(0, "a version matters to saved states only, and old ones are dropped" +
                              std::string(why.empty() ? "" : "; "));
        if (!machine_was_.empty())
            result_.changed(machine_was_,
                            !machine_type_.empty() ? "machine = " + type
                            : tcg_                 ? "accel = tcg"
                                                   : "accel = auto",
                            why);
        if (tcg_)
            result_.set("accel", "tcg");
    }

    void take_memory(const LegacyOption& option) {
        Properties properties = Properties::parse(option.value, "size");
        const std::string size = properties.take("size").value_or("");
        const auto number = mebibytes(size);
        if (!number)
            throw LauncherError(shown(option.text) + ": no size like 1024, 512M or 2G");
        has_memory_ = true;
        std::string why;
        if (*number == 8096)
            why = "8 GiB would be 8192M";
        if (!properties.all().empty())
            add_reason(why, "left out: " + listed(properties.all()));
        set(option.text, "memory", std::to_string(*number) + "M", why);
    }

    void take_cpus(const LegacyOption& option) {
        Properties properties = Properties::parse(option.value, "cpus");
        const auto number = [&](const char* key) -> std::optional<unsigned> {
            const auto text = properties.take(key);
            const auto value = text ? whole_number(*text) : std::nullopt;
            if (text && (!value || *value == 0 || *value > 100000))
                throw LauncherError(shown(option.text) + ": " + key + " is no number");
            return value;
        };
        const auto cpus = number("cpus");
        const auto sockets = number("sockets");
        const auto cores = number("cores");
        const auto threads = number("threads");
        const std::uint64_t said =
            std::uint64_t{sockets.value_or(1)} * cores.value_or(1) * threads.value_or(1);
        const std::uint64_t total = cpus ? *cpus : said;
        std::string value = std::to_string(total);
        std::string why;
        if (!sockets && !cores && !threads) {
            // Only how many.
        } else if (total % said == 0 && (said == total || !sockets || !cores)) {
            // The one that was not said is what is left, as with QEMU.
            const std::uint64_t left = total / said;
            value += ",sockets=" + std::to_string(sockets ? *sockets : left);
            value += ",cores=" + std::to_string(cores ? *cores : sockets ? left : 1);
            value += ",threads=" + std::to_string(threads.value_or(1));
        } else {
            why = "the topology does not come to " + std::to_string(total) + " CPUs";
        }
        if (!properties.all().empty())
            add_reason(why, "left out: " + listed(properties.all()));
        set(option.text, "cpus", value, why);
    }

    void take_cpu(const LegacyOption& option) {
        const bool rhel = option.value.starts_with("cpu64-rhel");
        if (rhel || !CpuModel::parse(option.value)) {
            set(option.text, "cpu", "auto",
                rhel ? "a model of RHEL's QEMU only" : "no CPU model that QEMU takes");
            return;
        }
        std::string why;
        if (option.value.find("+vmx") != std::string::npos ||
            option.value.find("+svm") != std::string::npos)
            why = "for VMs inside of the guest cpu = auto (the host's CPU) is the better choice";
        set(option.text, "cpu", option.value, why);
    }

    void add_memory() {
        if (has_memory_ || partial_)
            return;
        result_.set("memory", "128M");
        result_.added("memory = 128M", "QEMU's default");
    }

    void take_name(const LegacyOption& option) {
        Properties properties = Properties::parse(option.value, "guest");
        const std::string name = properties.take("guest").value_or("");
        result_.name = fitting_name(name);
        const std::string why = "the VM's name is that of its file";
        if (result_.name.empty())
            result_.dropped(option.text, why);
        else
            result_.changed(option.text, "VM " + result_.name, why);
    }

    void add_drive(const std::string& was, const std::string& value) {
        disks_.drives.push_back({was, Properties::parse(value, "file")});
    }
    void take_hd(const LegacyOption& option, unsigned index) {
        add_drive(option.text,
                  "index=" + std::to_string(index) + ",file=" + commas_doubled(option.value));
    }
    void take_bios(const LegacyOption& option) {
        if (is_uefi_firmware(option.value))
            set(option.text, "firmware", "uefi", "that of this host");
        else
            keep(option);
    }
    void take_floppy(const LegacyOption& option, unsigned index) {
        add_drive(option.text, "if=floppy,index=" + std::to_string(index) +
                                   ",format=raw,file=" + commas_doubled(option.value));
    }

    // tcp:5555::22 was what hostfwd=tcp::5555-:22 is.
    void take_redir(const LegacyOption& option) {
        const std::string& value = option.value;
        const size_t first = value.find(':');
        const size_t second = first == std::string::npos ? first : value.find(':', first + 1);
        if (second == std::string::npos) {
            result_.dropped(option.text, "not like tcp:2222::22");
            return;
        }
        const std::string protocol = first == 0 ? "tcp" : value.substr(0, first);
        nets_.user_options.emplace_back(
            "hostfwd=" +
                commas_doubled(protocol + "::" + value.substr(first + 1, second - first - 1) + "-" +
                               value.substr(second + 1)),
            option.text);
    }
    void take_user_option(const std::string& key, const LegacyOption& option) {
        nets_.user_options.emplace_back(key + "=" + commas_doubled(option.value), option.text);
    }

    // --- the screen -----------------------------------------------------------------------------

    void take_display(const LegacyOption& option) {
        if (option.value == "none") {
            say_no_screen(option);
        } else if (option.value.starts_with("vnc=")) {
            LegacyOption vnc = option;
            vnc.value.erase(0, 4);
            take_vnc(vnc);
        } else {
            take_screen(option);
        }
    }

    void take_vnc(const LegacyOption& option) {
        const std::string where = option.value.substr(0, option.value.find(','));
        if (where == "none") {
            result_.dropped(option.text, "that is: no VNC");
            return;
        }
        screen_ = true;
        std::string why = "on a socket that only you can open";
        const size_t colon = where.rfind(':');
        const auto number = colon == std::string::npos
                                ? std::nullopt
                                : whole_number(std::string_view(where).substr(colon + 1));
        if (where.starts_with("unix:")) {
            why += ", in the VM's directory";
        } else if (number && *number < 60000) {
            const bool local = where.starts_with("127.") || where.starts_with("localhost");
            why += "; it was port " + std::to_string(5900 + *number) + " of " +
                   (local ? "this host, for all its users"
                    : colon == 0 || where.starts_with("0.0.0.0") || where.starts_with("[::]")
                        ? "every address of the host"
                        : where.substr(0, colon));
            why += option.value.find("password") == std::string::npos ? ", without a password" : "";
        }
        result_.changed(option.text, "display = vnc", why);
    }

    void take_screen(const LegacyOption& option) {
        screen_ = true;
        result_.changed(option.text, "display = vnc", "for a VNC viewer");
    }

    void take_vga(const LegacyOption& option) {
        if (option.value == "none") {
            say_no_screen(option);
        } else {
            result_.dropped(option.text, "the screen of display=vnc is the standard VGA");
        }
    }

    void say_no_screen(const LegacyOption& option) {
        no_screen_.append(no_screen_.empty() ? "" : " ").append(option.text);
    }

    void add_display() {
        const std::string serial = "the serial console is a socket, and a log";
        if (!no_screen_.empty() && screen_) {
            result_.dropped(no_screen_, "a screen was asked for, too; " + serial);
        } else if (!no_screen_.empty()) {
            set(no_screen_, "display", "none", serial);
            return;
        } else if (!screen_ && !partial_) {
            result_.added("display = vnc",
                          "QEMU opened a window; this is a socket for a VNC viewer");
        }
        if (screen_ || !partial_)
            result_.set("display", "vnc");
    }

    // --- booting --------------------------------------------------------------------------------

    void take_boot(const LegacyOption& option) {
        Properties properties = Properties::parse(option.value, "order");
        std::string why;
        std::string devices;
        for (const char c : properties.take("order").value_or("")) {
            const char* const device = c == 'c'               ? "disk"
                                       : c == 'd'             ? "cdrom"
                                       : c >= 'n' && c <= 'p' ? "net"
                                                              : "";
            if (*device == '\0')
                add_reason(why, "no device " + quoted_word({&c, 1}));
            else if (devices.find(device) == std::string::npos)
                devices.append(devices.empty() ? "" : ",").append(device);
        }
        if (const auto once = properties.take("once"))
            add_reason(why, "once=" + *once + " is for one start: --boot=" +
                                (once->starts_with('d')   ? "cdrom"
                                 : once->starts_with('n') ? "net"
                                                          : "disk") +
                                " then");
        properties.take("menu");
        properties.take("strict");
        if (!properties.all().empty())
            add_reason(why, "left out: " + listed(properties.all()));
        if (devices.empty()) {
            result_.dropped(option.text, why.empty() ? "tapgate orders what to boot from" : why);
            return;
        }
        boot_ = devices;
        result_.changed(option.text, "boot = " + devices, why);
    }

    // bootindex= of devices that are still there.
    void add_boot() {
        if (!boot_.empty())
            result_.set("boot", boot_);
        else if (!boot_indexes_.empty())
            add_boot_indexes();
    }

    void add_boot_indexes() {
        std::string devices;
        std::string was;
        for (const auto& [index, kind] : boot_indexes_) {
            was += (was.empty() ? "" : " ") + ("bootindex=" + std::to_string(index));
            if (devices.find(kind) == std::string::npos)
                devices.append(devices.empty() ? "" : ",").append(kind);
        }
        result_.set("boot", devices);
        result_.changed(was, "boot = " + devices);
    }

    void note_boot_index(const LegacyDevice& device) {
        const auto index = whole_number(device.properties.get("bootindex"));
        if (!index)
            return;
        const std::string driver = device.properties.get("driver");
        const bool net = device.properties.has("netdev") || device.properties.has("vlan");
        if (net)
            boot_indexes_.emplace(*index, "net");
        else if (driver == "ide-cd" || driver == "scsi-cd")
            boot_indexes_.emplace(*index, "cdrom");
        else if (device.properties.has("drive"))
            boot_indexes_.emplace(*index, "disk");
    }

    // --- clock, serial lines, sound, USB
    // ----------------------------------------------------------

    void take_clock(const LegacyOption& option, const std::string& base) {
        if (base == "utc")
            result_.dropped(option.text, "tapgate's VMs have it so");
        else
            result_.keep(option.text, {"-rtc", "base=" + commas_doubled(base)});
    }

    void take_rtc(const LegacyOption& option) {
        Properties properties = Properties::parse(option.value, "base");
        if (properties.get("base") == "utc")
            properties.take("base");
        if (properties.get("driftfix") == "slew")
            properties.take("driftfix");
        if (properties.all().empty())
            result_.dropped(option.text, "tapgate's VMs have it so");
        else
            result_.keep(option.text, {"-rtc", properties.str()});
    }

    void take_serial(const LegacyOption& option) {
        if (serials_++ == 0)
            result_.changed(option.text, "console.sock and console.log",
                            "in the VM's directory, for each of tapgate's VMs");
        else
            result_.dropped(option.text, "tapgate's VMs have one serial line");
    }

    void keep_sound(const std::string& was, const std::vector<std::string>& devices) {
        std::vector<std::string> arguments;
        if (!sound_)
            arguments = {"-audiodev", "none,id=keptsound"};
        sound_ = true;
        for (const std::string& device : devices) {
            arguments.emplace_back("-device");
            arguments.push_back(device);
        }
        result_.keep(was, arguments, "the guest keeps its card, and nobody hears it");
    }

    void take_sound(const LegacyOption& option) {
        struct Card {
            std::string_view name;
            std::vector<std::string> devices;
        };
        static const Card cards[] = {
            {"ac97", {"AC97,audiodev=keptsound"}},
            {"es1370", {"ES1370,audiodev=keptsound"}},
            {"sb16", {"sb16,audiodev=keptsound"}},
            {"adlib", {"adlib,audiodev=keptsound"}},
            {"cs4231a", {"cs4231a,audiodev=keptsound"}},
            {"gus", {"gus,audiodev=keptsound"}},
            {"hda", {"intel-hda", "hda-duplex,audiodev=keptsound"}},
        };
        std::vector<std::string> devices;
        std::string_view rest = option.value;
        while (!rest.empty()) {
            const std::string_view name = rest.substr(0, rest.find(','));
            rest.remove_prefix(std::min(name.size() + 1, rest.size()));
            const auto* const card = std::find_if(std::begin(cards), std::end(cards),
                                                  [&](const Card& c) { return c.name == name; });
            if (card != std::end(cards))
                devices.insert(devices.end(), card->devices.begin(), card->devices.end());
        }
        if (devices.empty())
            result_.dropped(option.text, "nobody would hear it");
        else
            keep_sound(option.text, devices);
    }

    void take_usb_device(const LegacyOption& option) {
        const std::string& value = option.value;
        const size_t colon = std::min(value.find(':'), value.size());
        const std::string kind = value.substr(0, colon);
        const std::string rest = value.substr(std::min(colon + 1, value.size()));
        Properties device;
        if (kind == "tablet" || kind == "mouse" || kind == "keyboard") {
            result_.dropped(option.text, "a screen has a tablet with it");
        } else if (kind == "host" && rest.find(':') != std::string::npos) {
            device.set("driver", "usb-host");
            device.set("vendorid", "0x" + rest.substr(0, rest.find(':')));
            device.set("productid", "0x" + rest.substr(rest.find(':') + 1));
            keep_usb_device(option.text, {}, device, machine_, result_);
        } else if (kind == "host" && rest.find('.') != std::string::npos) {
            device.set("driver", "usb-host");
            device.set("hostbus", rest.substr(0, rest.find('.')));
            device.set("hostaddr", rest.substr(rest.find('.') + 1));
            keep_usb_device(option.text, {}, device, machine_, result_);
        } else if (kind == "disk" && !rest.empty()) {
            const std::string id = "keptdisk" + std::to_string(usb_disks_++);
            const std::string file = rest.substr(rest.starts_with(':') ? 1 : 0);
            Properties drive;
            drive.set("if", "none");
            drive.set("id", id);
            drive.set("format", format_by_name(file).first);
            drive.set("file", absolute(file));
            device.set("driver", "usb-storage");
            device.set("drive", id);
            keep_usb_device(option.text, {"-drive", drive.str()}, device, machine_, result_);
        } else {
            result_.dropped(option.text, "QEMU has dropped this device");
        }
    }

    void take_realtime(const LegacyOption& option) {
        if (option.value == "mlock=on")
            result_.dropped(option.text,
                            "few users may lock so much memory; where you may: "
                            "--qemu-arg=-overcommit --qemu-arg=mem-lock=on");
        else
            result_.dropped(option.text, "so it is without it");
    }

    void take_numa(const LegacyOption& option) {
        numa_ = numa_ || Properties::parse(option.value, "type").has("memdev");
        if (numa_)
            keep(option);
        else
            result_.dropped(option.text, "NUMA nodes need memory backends now (memdev=)");
    }

    void take_global(const LegacyOption& option) {
        const std::string& value = option.value;
        if (value.ends_with(".disable_s3=1") || value.ends_with(".disable_s4=1") ||
            value == "kvm-pit.lost_tick_policy=delay" ||
            value == "kvm-pit.lost_tick_policy=discard")
            result_.dropped(option.text, "tapgate's VMs have it so");
        else
            keep(option);
    }

    void take_object(const LegacyOption& option) {
        const Properties properties = Properties::parse(option.value, "qom-type");
        const std::string type = properties.get("qom-type");
        if (type.starts_with("rng-"))
            result_.dropped(option.text, "all of tapgate's VMs have a random number generator");
        else if (type == "iothread")
            result_.dropped(option.text, "tapgate's disks have one");
        else if (type == "secret" || type.starts_with("tls-creds") || type.starts_with("authz"))
            result_.dropped(option.text,
                            "what it was for is gone: a socket that only you can open");
        else if (type.starts_with("memory-backend") && properties.get("id") == "pc.ram")
            result_.dropped(option.text, "memory = says it");
        else
            keep(option);
    }

    // --- devices, at the end, when it is known whose they are ---------------------------------

    void add_devices() {
        for (const LegacyDevice& device : devices_) {
            if (!device.taken)
                add_device(device);
        }
    }

    void add_device(const LegacyDevice& device) {
        constexpr std::array<std::string_view, 24> infrastructure = {"pcie-root-port",
                                                                     "ioh3420",
                                                                     "pci-bridge",
                                                                     "i82801b11-bridge",
                                                                     "pcie-pci-bridge",
                                                                     "pcie-switch-upstream-port",
                                                                     "pcie-switch-downstream-port",
                                                                     "x3130-upstream",
                                                                     "xio3130-downstream",
                                                                     "usb-ehci",
                                                                     "ich9-usb-ehci1",
                                                                     "ich9-usb-uhci1",
                                                                     "ich9-usb-uhci2",
                                                                     "ich9-usb-uhci3",
                                                                     "piix3-usb-uhci",
                                                                     "piix4-usb-uhci",
                                                                     "nec-usb-xhci",
                                                                     "qemu-xhci",
                                                                     "usb-hub",
                                                                     "ich9-ahci",
                                                                     "ahci",
                                                                     "piix3-ide",
                                                                     "lsi",
                                                                     "lsi53c895a"};
        constexpr std::array<std::string_view, 10> screens = {
            "VGA",         "cirrus-vga",     "qxl-vga",       "qxl",           "virtio-vga",
            "vmware-svga", "virtio-gpu-pci", "bochs-display", "secondary-vga", "virtio-vga-gl"};
        constexpr std::array<std::string_view, 5> inputs = {
            "usb-tablet", "usb-mouse", "usb-kbd", "virtio-tablet-pci", "virtio-keyboard-pci"};
        constexpr std::array<std::string_view, 11> sound = {
            "intel-hda", "ich9-intel-hda", "hda-duplex", "hda-micro", "hda-output", "AC97",
            "ES1370",    "sb16",           "adlib",      "gus",       "cs4231a"};
        Properties properties = device.properties;
        const std::string driver = properties.get("driver");
        if (is_one_of(driver, infrastructure) || is_virtio(driver, "scsi") ||
            is_virtio(driver, "serial") || driver.starts_with("megasas"))
            result_.dropped(device.was, "tapgate gives each device its place");
        else if (is_virtio(driver, "balloon") || is_virtio(driver, "rng"))
            result_.dropped(device.was, "all of tapgate's VMs have one");
        else if (is_one_of(driver, screens))
            result_.dropped(device.was, "the screen of display=vnc is the standard VGA");
        else if (is_one_of(driver, inputs))
            result_.dropped(device.was, "a screen has a tablet with it");
        else if (driver == "isa-serial")
            take_serial({nullptr, {}, device.was});
        else if (driver == "virtserialport" || driver == "virtconsole")
            result_.dropped(device.was, properties.get("name") == "org.qemu.guest_agent.0"
                                            ? "all of tapgate's VMs have the guest agent's channel"
                                            : "what was at its other end is gone");
        else if (driver == "pci-assign" || driver == "kvm-pci-assign")
            result_.dropped(device.was,
                            "QEMU has dropped it; -device vfio-pci is what takes its place");
        else if (driver == "usb-redir" || driver == "usb-ccid" || driver == "ccid-card-passthru")
            result_.dropped(device.was, "it was for a SPICE viewer");
        else if (is_one_of(driver, sound))
            keep_sound_device(device.was, properties);
        else
            keep_device(device.was, properties);
    }

    static void take_places(Properties& properties) {
        for (const char* const place : {"id", "bus", "addr", "multifunction", "cad"})
            properties.take(place);
    }

    void keep_sound_device(const std::string& was, Properties& properties) {
        take_places(properties);
        if (!properties.get("driver").ends_with("intel-hda"))
            properties.set("audiodev", "keptsound");
        keep_sound(was, {properties.str("driver")});
    }

    void keep_device(const std::string& was, Properties& properties) {
        const std::string chardev = properties.get("chardev");
        for (LegacyOption& one : chardevs_) {
            if (!chardev.empty() && Properties::parse(one.value, "backend").get("id") == chardev &&
                one.kind != nullptr) {
                keep(one);
                one.kind = nullptr;
            }
        }
        take_places(properties);
        if (properties.get("driver").starts_with("usb-"))
            keep_usb_device(was, {}, properties, machine_, result_);
        else
            result_.keep(was, {"-device", properties.str("driver")});
    }

    void add_chardevs() {
        for (const LegacyOption& option : chardevs_) {
            if (option.kind != nullptr)
                result_.dropped(option.text, "what it was for has a socket of tapgate's");
        }
    }

    // --- what the shell had to do with it -----------------------------------------------------

    void add_surroundings(const ShellCommand& command) {
        for (const auto& [name, value] : command.environment)
            result_.dropped(std::string(name).append("=").append(value),
                            "tapgate gives QEMU an environment of its own");
        if (!around_.empty()) {
            const bool root = base_name(around_[0]) == "sudo" || base_name(around_[0]) == "doas";
            result_.dropped(shell_text(around_),
                            root ? "no root is needed" : "tapgate starts QEMU itself");
        }
        for (const std::string& redirection : command.redirections)
            result_.dropped(redirection, "what QEMU says is in qemu.log in the VM's directory");
        if (command.background)
            result_.dropped("&",
                            "`tapgate start' runs a VM in the background, and it outlives the "
                            "shell");
    }

    Translation result_;
    LegacyMachine machine_;
    std::vector<std::string> around_;
    std::string machine_type_;
    std::string machine_was_;
    std::string machine_why_;
    LegacyDisks disks_;
    std::vector<LegacyDevice> devices_;
    std::vector<LegacyOption> chardevs_;  // those that were kept have no kind any more
    LegacyNets nets_;
    bool partial_ = false;  // without QEMU's name: what is not there may have been said elsewhere
    bool has_memory_ = false;
    bool tcg_ = false;
    bool screen_ = false;
    bool sound_ = false;
    bool numa_ = false;
    std::string no_screen_;  // -nographic and the like
    std::string boot_;
    std::multimap<unsigned, std::string> boot_indexes_;
    unsigned serials_ = 0;
    unsigned usb_disks_ = 0;
};

}  // namespace

ShellCommand find_qemu_command(const std::vector<ShellCommand>& commands,
                               const std::string& source) {
    std::vector<const ShellCommand*> found;
    for (const ShellCommand& command : commands) {
        const auto qemu = find_qemu(command.words);
        if (qemu != command.words.end() && qemu + 1 != command.words.end())
            found.push_back(&command);
    }
    // Part of a command line.
    if (found.empty() && commands.size() == 1 && !commands[0].words.empty() &&
        commands[0].words[0].starts_with('-'))
        found.push_back(commands.data());
    if (found.empty()) {
        std::string hint;
        for (const ShellCommand& command : commands) {
            if (!command.words.empty() && base_name(command.words[0]).starts_with("qemu-"))
                hint = ": " + no_qemu(command.words[0]);
        }
        throw LauncherError(source + ": no command line of QEMU's in it" + hint);
    }
    if (found.size() > 1) {
        std::string lines;
        for (const ShellCommand* command : found)
            lines += (lines.empty() ? "" : ", ") + std::to_string(command->line);
        throw LauncherError(source + ": starts QEMU more than once (lines " + shown(lines) +
                            "); make a file of the one that is meant");
    }
    if (!found[0]->problem.empty())
        throw LauncherError(source + ": " + found[0]->problem +
                            " means something to a shell only; write out what it stands for");
    return *found[0];
}

Translation translate_qemu_command(const ShellCommand& command, const std::string& directory) {
    return Translator(directory).translate(command);
}

}  // namespace tapgate
