// SPDX-License-Identifier: GPL-2.0-or-later
//
// Devices other than disks and adapters, and what they refer to by an id.
#include <algorithm>
#include <array>

#include "launcher/base/text.h"
#include "launcher/foreign/legacy/parts.h"
#include "launcher/foreign/translation/words.h"

namespace tapgate {

namespace {

bool is_virtio(std::string_view driver, std::string_view kind) {
    return driver.starts_with("virtio-" + std::string(kind));
}

// Is it an id that tapgate's own command line uses (qemu/argv.cc)?
bool is_own_id(std::string_view id) {
    constexpr std::array<std::string_view, 16> names = {
        "console",        "qmp",    "events", "agent",       "serial0", "rng0",
        "balloon0",       "vga0",   "usb0",   "sata0",       "scsi0",   "uefi-code",
        "uefi-variables", "pc.ram", "ram",    "vnc-password"};
    if (is_one_of(id, names))
        return true;
    constexpr std::array<std::string_view, 8> numbered = {"disk", "cdrom", "net",   "nic",
                                                          "port", "spare", "share", "kept"};
    return std::any_of(numbered.begin(), numbered.end(), [&](std::string_view prefix) {
        return id.starts_with(prefix) && id.size() > prefix.size() && id[prefix.size()] >= '0' &&
               id[prefix.size()] <= '9';
    });
}

std::string kept_id(const std::string& id) {
    return is_own_id(id) ? "kept-" + id : id;
}

// A throttle group that says nothing but what it is.
bool is_without_limits(const Properties& group) {
    return group.get("qom-type") == "throttle-group" &&
           std::all_of(group.all().begin(), group.all().end(), [](const auto& property) {
               return property.first == "qom-type" || property.first == "id";
           });
}

LegacyPart* find_part(LegacyParts& parts, std::string_view id) {
    const auto found = std::find_if(
        parts.parts.begin(), parts.parts.end(),
        [&](const LegacyPart& part) { return !id.empty() && part.properties.get("id") == id; });
    return found == parts.parts.end() ? nullptr : &*found;
}

// Why a backend cannot be kept, mostly since its other end was a program or a descriptor of one
// run; empty if it can.
std::string why_not(LegacyParts& parts, const LegacyPart& part) {
    const Properties& properties = part.properties;
    const std::string kind = properties.get(part.first_key);
    if (part.option == "chardev") {
        if (kind == "spicevmc" || kind == "spiceport" || kind == "dbus")
            return "it is for a SPICE viewer, and tapgate's VMs have no SPICE";
        if (kind == "qemu-vdagent")
            return "tapgate's VMs share no clipboard with a viewer";
        if (properties.has("fd"))
            return "its file descriptor belonged to the program that started QEMU";
        const std::string path = properties.get("path");
        if (path.starts_with('/') && !is_users_path(path))
            return "it needs a program beside QEMU, which whoever started QEMU ran: start that "
                   "program yourself and add the device with --qemu-arg";
    }
    if (part.option == "object" && kind == "secret" &&
        (properties.has("keyid") || properties.has("iv")))
        return "libvirt encrypted this secret for one run only (`virsh secret-get-value' shows its "
               "value)";
    if (part.option == "tpmdev" && kind == "emulator") {
        const LegacyPart* const chardev = find_part(parts, properties.get("chardev"));
        if (chardev == nullptr || !why_not(parts, *chardev).empty())
            return "it needs a TPM emulator (swtpm) beside QEMU, which whoever started QEMU ran: "
                   "start one yourself (swtpm socket --tpm2 --tpmstate dir=DIR --ctrl "
                   "type=unixio,path=SOCKET) and add -chardev, -tpmdev and -device with --qemu-arg";
    }
    if (kind == "passthrough" && properties.get("path").starts_with("/dev/fdset/"))
        return "its file descriptor belonged to the program that started QEMU";
    if (properties.has("fd") || properties.has("fds"))
        return "its file descriptor belonged to the program that started QEMU";
    return {};
}

bool refers(std::string_view key) {
    constexpr std::array<std::string_view, 12> plain = {"id",   "driver", "name",      "guid",
                                                        "host", "addr",   "bus",       "mac",
                                                        "port", "path",   "mount_tag", "qom-type"};
    return !is_one_of(key, plain);
}

// How deep objects may refer to each other.
constexpr unsigned deepest_object = 8;

std::string keep_references(LegacyParts& parts, Properties& properties, unsigned depth) {
    // All reasons come first, so that nothing is kept for a device that is dropped.
    for (const auto& [key, value] : properties.all()) {
        LegacyPart* const part = refers(key) ? find_part(parts, value) : nullptr;
        if (part == nullptr)
            continue;
        if (std::string why = why_not(parts, *part); !why.empty())
            return why;
        if (depth >= deepest_object)
            return "its objects refer to each other in a circle, or too deeply";
    }
    for (auto& [key, value] : properties.all()) {
        LegacyPart* const part = refers(key) ? find_part(parts, value) : nullptr;
        if (part == nullptr)
            continue;
        value = kept_id(value);
        if (part->done)
            continue;
        Properties below = part->properties;
        if (std::string why = keep_references(parts, below, depth + 1); !why.empty())
            return why;
        part->done = true;
        below.set("id", kept_id(below.get("id")));
        make_paths_absolute(parts.machine, below);
        std::string reason = part->option == "object" ? fit_object(below) : "";
        if (part->option == "tpmdev" && below.get("type") == "emulator")
            reason = "before each start of the VM, swtpm has to be listening on this socket";
        if (part->option == "chardev" && below.get("backend") == "stdio")
            reason = "nobody types there, and what comes out of it is in qemu.log";
        parts.result.keep(part->was, {"-" + part->option, below.str(part->first_key)}, reason);
    }
    return {};
}

// Is there a device, other than those of disks and adapters, that passes the test?
template <typename Test>
bool any_device(const LegacyParts& parts, Test&& test) {
    return std::any_of(parts.devices.begin(), parts.devices.end(), [&](const LegacyDevice& device) {
        return !device.taken && test(device.properties);
    });
}

// A device to which another refers, as in isa-ipmi-kcs,bmc=ID, keeps its id.
std::string id_for_others(const LegacyParts& parts, const std::string& id) {
    const bool referred = !id.empty() && any_device(parts, [&](const Properties& properties) {
        const auto& all = properties.all();
        return std::any_of(all.begin(), all.end(), [&](const auto& property) {
            return property.second == id && refers(property.first);
        });
    });
    return referred ? kept_id(id) : "";
}

void keep_device_references(const LegacyParts& parts, Properties& properties) {
    for (auto& [key, value] : properties.all()) {
        const auto has_id = [&id = value](const Properties& other) {
            return other.get("id") == id;
        };
        if (refers(key) && !value.empty() && any_device(parts, has_id))
            value = kept_id(value);
    }
}

void take_places(LegacyParts& parts, Properties& properties) {
    properties.take("id");
    for (const char* const place : {"bus", "addr", "multifunction", "cad", "port", "nr"})
        parts.places += properties.take(place) ? 1U : 0U;
}

// Intel's own GPU shows a picture by itself only in the place that it has on the host.
bool is_gpu_in_its_place(const Properties& properties) {
    const auto place = pci_place(properties);
    return properties.get("driver").starts_with("vfio-pci") &&
           properties.get("host").ends_with("00:02.0") && place && place->first.empty() &&
           place->second == 8U * 2;
}

void keep_in_place(LegacyParts& parts, const std::string& was, const Properties& before,
                   Properties& properties, const std::string& place, std::string why) {
    if (is_gpu_in_its_place(before))
        add_reason(why,
                   "its place is not 00:02.0 any more, as it has to be for the picture of an Intel "
                   "GPU from the start (legacy mode): the guest's driver has to make it");
    std::vector<std::string> arguments = place_host_card(parts, before, properties);
    arguments.insert(arguments.end(), {"-device", properties.str("driver") + place});
    parts.result.keep(was, arguments, why);
}

// Is it known that there is no such drive? Another file may describe some.
bool is_missing_drive(const LegacyParts& parts, const std::string& id) {
    const auto& settings = parts.result.settings;
    return !id.empty() && !parts.partial &&
           std::none_of(settings.begin(), settings.end(),
                        [](const auto& one) { return one.second == "-readconfig"; }) &&
           std::none_of(parts.drives.drives.begin(), parts.drives.drives.end(),
                        [&](const auto& drive) { return drive.properties.get("id") == id; }) &&
           std::none_of(parts.drives.nodes.begin(), parts.drives.nodes.end(),
                        [&](const auto& node) { return node.properties.get("node-name") == id; });
}

void keep_device(LegacyParts& parts, const std::string& was, Properties& properties) {
    if (const std::string drive = properties.get("drive"); is_missing_drive(parts, drive)) {
        parts.result.dropped(
            was, "QEMU would not start with it: nothing describes the drive " + quoted_word(drive));
        return;
    }
    if (std::string why = keep_references(parts, properties); !why.empty()) {
        if (properties.get("driver").starts_with("vhost-user-fs"))
            why =
                "which directory it is only the server beside QEMU was told (Proxmox: `qm "
                "config'): add --share=DIR,tag=" +
                properties.get("tag") + ",via=virtiofs";
        parts.result.dropped(was, why);
        return;
    }
    keep_device_references(parts, properties);
    const std::string id = id_for_others(parts, properties.get("id"));
    const Properties before = properties;
    take_places(parts, properties);
    if (!id.empty())
        properties.set("id", id);
    std::string why;
    for (const char* const descriptor : {"vhostfd", "fd"}) {
        if (properties.take(descriptor))
            add_reason(why, std::string("its ") + descriptor +
                                "= belonged to the program that started QEMU");
    }
    if (const auto pair = properties.take("failover_pair_id"))
        add_reason(why, "left out: failover_pair_id=" + *pair);
    make_paths_absolute(parts.machine, properties);
    const std::string driver = properties.get("driver");
    // QEMU shows such a card's picture only by OpenGL, or does not start.
    if (driver.starts_with("vfio-pci") && parts.opengl && is_true(properties.get("display"))) {
        properties.take("display");
        const bool boots = properties.take("ramfb").has_value();
        add_reason(why, std::string("left out: display=on") + (boots ? " and ramfb=" : "") +
                            ", since the screens of tapgate's VMs have no OpenGL");
    }
    if (driver.starts_with("vhost-user"))
        add_reason(why,
                   "before each start of the VM, its program has to be listening on this socket");
    if (driver == "virtserialport" || driver == "virtconsole") {
        parts.result.keep(was,
                          {"-device", serial_port_device(driver, properties.get("chardev"),
                                                         properties.get("name"))},
                          why);
        return;
    }
    if (driver == "amd-iommu") {
        properties.take("pci-id");
        parts.result.keep(was, {"-device", amd_iommu(properties)}, why);
        return;
    }
    std::optional<std::uint64_t> order;
    if (const auto index = properties.take("bootindex")) {
        order = std::strtoull(index->c_str(), nullptr, 10);
        parts.boot.add_source("bootindex=" + *index);
    }
    // Where there is no drive, the guest boots from a card of the host's, such as an NVMe disk;
    // UEFI forgets what is not in the order that it is given.
    const bool may_boot = driver.starts_with("vfio-pci") && !parts.has_drive &&
                          !is_true(properties.get("x-vga")) && !before.get("host").ends_with(".1");
    if (may_boot && !order)
        add_reason(why, "the guest may boot from it, since it has no drive");
    const std::string place =
        order || may_boot ? parts.boot.add_kept(BootKind::disk, order, last_rank) : "";
    if (driver.starts_with("usb-"))
        keep_usb_device(was, {}, properties, parts.machine, parts.result, place, why);
    else
        keep_in_place(parts, was, before, properties, place, why);
    const bool memory = driver == "pc-dimm" || driver == "nvdimm" ||
                        driver.starts_with("virtio-mem") || driver.starts_with("virtio-pmem");
    if (memory && !parts.memory_slots.empty()) {
        parts.result.keep("-m ..." + parts.memory_slots, {"-m", parts.memory_slots},
                          "room for memory that is plugged in");
        parts.memory_slots.clear();
    }
}

// Properties of a device that tapgate's VMs have themselves, beyond its place and what it refers
// to.
std::string left_of(const Properties& properties) {
    std::vector<Properties::Property> left;
    for (const auto& property : properties.all()) {
        constexpr std::array<std::string_view, 9> known = {
            "driver",        "id",  "bus",       "addr",
            "multifunction", "rng", "bootindex", "free-page-reporting",
            "deflate-on-oom"};
        if (!is_one_of(property.first, known))
            left.push_back(property);
    }
    return left.empty() ? "" : "; left out: " + listed(left);
}

// Does the host's graphics card draw for the guest?
bool is_accelerated(std::string_view driver, const Properties& properties) {
    return driver.find("-gl") != std::string_view::npos ||
           driver.find("rutabaga") != std::string_view::npos || is_true(properties.get("virgl"));
}

// A screen's properties, but for the sizes of memory that only another adapter has.
std::string left_of_screen(Properties properties) {
    constexpr std::array<std::string_view, 5> sizes = {"ram_size", "vram_size", "vram64_size_mb",
                                                       "vram_size_mb", "ram_size_mb"};
    const bool is_vga = properties.get("driver") == "VGA";
    std::erase_if(properties.all(), [&](const auto& one) {
        return is_one_of(one.first, sizes) || (!is_vga && one.first == "vgamem_mb") ||
               (one.first == "max_outputs" && one.second == "1");
    });
    return left_of(properties);
}

// The properties of a SCSI controller that do more than place it; a note of its own says it of an
// iothread.
std::string left_of_controller(Properties properties) {
    properties.take("iothread");
    return left_of(properties);
}

// Bridges and controllers: what is plugged into them has its place on tapgate's machines.
constexpr std::array<std::string_view, 32> infrastructure = {"pcie-root-port",
                                                             "ioh3420",
                                                             "pci-bridge",
                                                             "i82801b11-bridge",
                                                             "pcie-pci-bridge",
                                                             "pcie-switch-upstream-port",
                                                             "pxb",
                                                             "pxb-pcie",
                                                             "pcie-switch-downstream-port",
                                                             "x3130-upstream",
                                                             "xio3130-downstream",
                                                             "usb-ehci",
                                                             "ich9-usb-ehci1",
                                                             "ich9-usb-uhci1",
                                                             "ich9-usb-uhci2",
                                                             "ich9-usb-uhci3",
                                                             "ich9-usb-uhci4",
                                                             "ich9-usb-uhci5",
                                                             "ich9-usb-uhci6",
                                                             "ich9-usb-ehci2",
                                                             "piix3-usb-uhci",
                                                             "piix4-usb-uhci",
                                                             "vt82c686b-usb-uhci",
                                                             "pci-ohci",
                                                             "nec-usb-xhci",
                                                             "qemu-xhci",
                                                             "usb-hub",
                                                             "ich9-ahci",
                                                             "ahci",
                                                             "piix3-ide",
                                                             "isa-fdc",
                                                             "pcie-bus"};
constexpr std::array<std::string_view, 8> scsi_controllers = {
    "lsi", "lsi53c895a", "lsi53c810", "mptsas1068", "pvscsi", "am53c974", "dc390", "megasas"};
constexpr std::array<std::string_view, 6> pointers = {"usb-tablet",    "virtio-tablet-pci",
                                                      "virtio-tablet", "usb-mouse",
                                                      "virtio-mouse",  "virtio-mouse-pci"};
constexpr std::array<std::string_view, 3> keyboards = {"usb-kbd", "virtio-keyboard",
                                                       "virtio-keyboard-pci"};
constexpr std::array<std::string_view, 3> serial_cards = {"pci-serial", "pci-serial-2x",
                                                          "pci-serial-4x"};

// Why a controller is not taken over: tapgate's machines have it, or its devices are on another
// one. Empty if the driver is for something else.
std::string why_own_controller(const std::string& driver, const Properties& properties) {
    if (is_virtio(driver, "serial"))
        return "tapgate gives each device its place" + left_of(properties);
    if (is_one_of(driver, infrastructure))
        return "tapgate gives each device its place";
    if (is_virtio(driver, "scsi"))
        return "a disk with bus=scsi brings its controller along" + left_of_controller(properties);
    if (is_one_of(driver, scsi_controllers) || driver.starts_with("megasas"))
        return "SCSI disks are on a virtio-scsi controller instead";
    if ((driver == "nvme" || driver == "sdhci-pci") && !properties.has("drive"))
        return "each of its disks gets a controller of its own";
    return {};
}

// The same for screens, keyboards, pointers and serial lines.
std::string why_own_console(const std::string& driver, const Properties& properties) {
    if (is_screen(driver))
        return "every VM with a screen has the standard VGA adapter" +
               std::string(is_accelerated(driver, properties) ? ", without 3D by the host" : "") +
               left_of_screen(properties);
    if (is_one_of(driver, pointers))
        return own_tablet;
    if (is_one_of(driver, keyboards))
        return "the machine has a keyboard anyway";
    if (driver == "virtserialport" || driver == "virtconsole")
        return properties.get("name") == "org.qemu.guest_agent.0"
                   ? "all of tapgate's VMs have the guest agent's channel"
               : properties.has("chardev") ? ""
                                           : "nothing was connected to it on the host";
    if (driver == "isa-parallel")
        return "tapgate's machines have no parallel port";
    if (is_one_of(driver, serial_cards))
        return "a VM of tapgate has one serial line only";
    return {};
}

// Why tapgate's machines have the device themselves; empty if they do not.
std::string why_own(const std::string& driver, const Properties& properties) {
    constexpr std::array<std::string_view, 6> drives = {"ide-cd", "scsi-cd", "floppy",
                                                        "ide-hd", "scsi-hd", "usb-storage"};
    if (std::string why = why_own_controller(driver, properties); !why.empty())
        return why;
    if (std::string why = why_own_console(driver, properties); !why.empty())
        return why;
    if (is_virtio(driver, "balloon") || is_virtio(driver, "rng"))
        return "all of tapgate's VMs have one" + left_of(properties);
    if (driver == "pci-assign" || driver == "kvm-pci-assign")
        return "QEMU no longer has it: -device vfio-pci does this now";
    if (driver == "usb-redir" || driver == "usb-ccid" || driver.starts_with("ccid-card"))
        return "it is for a SPICE viewer, and tapgate's VMs have no SPICE";
    if (is_cpu(driver))
        return "cpus = counts these CPUs already";
    if (driver == "AMDVI-PCI")
        return "amd-iommu includes it";
    if (is_one_of(driver, drives) && !properties.has("drive"))
        return "the drive is empty";
    return {};
}

void add_serial_line(LegacyParts& parts, const std::string& was, std::string why) {
    if (parts.serials++ == 0) {
        why.insert(0, std::string("in the VM's directory, as with all of tapgate's VMs") +
                          (why.empty() ? "" : "; "));
        parts.result.changed(was, "console.sock and console.log", why);
    } else {
        parts.result.dropped(was, "a VM of tapgate has one serial line only");
    }
}

// The first line is COM1.
void add_serial_device(LegacyParts& parts, const std::string& was, Properties properties) {
    for (const char* const own : {"driver", "id", "chardev"})
        properties.take(own);
    if (properties.get("index") == "0")
        properties.take("index");
    const auto& left = properties.all();
    add_serial_line(parts, was, left.empty() ? "" : "left out: " + listed(left));
}

void add_device(LegacyParts& parts, const LegacyDevice& device) {
    constexpr std::array<std::string_view, 16> sound = {
        "intel-hda",  "ich9-intel-hda", "hda-duplex",   "hda-micro",
        "hda-output", "AC97",           "ac97",         "ES1370",
        "es1370",     "sb16",           "adlib",        "gus",
        "cs4231a",    "usb-audio",      "virtio-sound", "virtio-sound-pci"};
    Properties properties = device.properties;
    const std::string driver = properties.get("driver");
    // macOS has no driver for a PC's own keyboard.
    const auto is_apple = [](const Properties& other) {
        return other.get("driver") == "isa-applesmc";
    };
    if (const std::string why = why_own(driver, properties);
        !why.empty() && !(driver == "usb-kbd" && any_device(parts, is_apple))) {
        const std::string index = properties.get("bootindex");
        parts.result.dropped(device.was,
                             why + (index.empty() ? "" : "; the guest does not boot from it"));
    } else if (driver == "isa-serial") {
        add_serial_device(parts, device.was, properties);
    } else if (driver.empty()) {
        parts.result.dropped(device.was, "it does not say which device");
    } else if (is_one_of(driver, sound)) {
        take_places(parts, properties);
        if (!driver.ends_with("intel-hda"))
            properties.set("audiodev", "keptsound");
        if (driver == "usb-audio")
            parts.result.dropped(device.was, "the guest's sound is not played on the host");
        else
            keep_sound(device.was, {properties.str("driver")}, parts.machine, parts.result);
    } else {
        keep_device(parts, device.was, properties);
    }
}

// Parts to which nothing refers.
void add_rest(LegacyParts& parts) {
    for (LegacyPart& part : parts.parts) {
        if (part.done)
            continue;
        part.done = true;
        const std::string type = part.properties.get("qom-type");
        std::string why;
        if (part.option == "chardev") {
            why = "what used it has one of tapgate's sockets instead, or is left out";
        } else if (type == "monitor-qmp" || type == "monitor-hmp") {
            why = "tapgate has a QMP socket of its own, which nobody else can open";
        } else if (why = why_not(parts, part); !why.empty() || part.option != "object") {
            if (why.empty())
                why = "no device uses it";
        } else if (type.starts_with("rng-")) {
            why = "all of tapgate's VMs have a random number generator";
        } else if (type == "iothread" || type == "thread-context" || type == "main-loop") {
            why = "tapgate's disks run in QEMU's main loop";
        } else if (type == "secret" || type.starts_with("tls-creds") || type.starts_with("authz")) {
            why = "nothing needs it now: tapgate's sockets are open to you alone";
        } else if (type.starts_with("memory-backend")) {
            why = "memory = says the size, and nothing else refers to this";
        } else if (type.starts_with("sev-") || type.starts_with("tdx-")) {
            why =
                "the guest's memory is NOT encrypted against the host: tapgate has no setting for "
                "that";
        } else if (is_without_limits(part.properties)) {
            why = "it limits nothing";
        } else if (type == "throttle-group") {
            why =
                "a VM's description sets no limits on what it takes of the host: see "
                "systemd.resource-control(5)";
        } else if (type == "filter-dump") {
            why =
                "its network has another name here: to record the packets of the first net =, add "
                "--qemu-arg=-object --qemu-arg=filter-dump,id=dump0,netdev=net0,file=FILE";
        } else if (type.starts_with("filter-") || type.starts_with("colo-") ||
                   type == "pr-manager-helper" || type == "dbus-vmstate") {
            why = "the network or program that it belongs to is left out, or has another name here";
        }
        if (!why.empty()) {
            parts.result.dropped(part.was, why);
            continue;
        }
        Properties properties = part.properties;
        const std::string reason = keep_references(parts, properties);
        if (!reason.empty()) {
            parts.result.dropped(part.was, reason);
            continue;
        }
        properties.set("id", kept_id(properties.get("id")));
        make_paths_absolute(parts.machine, properties);
        const std::string fitted = part.option == "object" ? fit_object(properties) : "";
        parts.result.keep(part.was, {"-" + part.option, properties.str(part.first_key)}, fitted);
    }
}

}  // namespace

bool is_screen(std::string_view driver) {
    constexpr std::array<std::string_view, 21> screens = {
        "VGA",           "cirrus-vga",
        "qxl-vga",       "qxl",
        "virtio-vga",    "vmware-svga",
        "virtio-gpu",    "virtio-gpu-pci",
        "virtio-vga-gl", "virtio-gpu-gl",
        "secondary-vga", "virtio-gpu-gl-pci",
        "bochs-display", "virtio-vga-rutabaga",
        "ramfb",         "virtio-gpu-rutabaga",
        "ati-vga",       "virtio-gpu-rutabaga-pci",
        "isa-vga",       "isa-cirrus-vga",
        "vhost-user-vga"};
    return is_one_of(driver, screens);
}

// QEMU reads these numbers as hexadecimal.
std::optional<std::pair<std::string, unsigned>> pci_place(const Properties& device) {
    if (!device.has("addr"))
        return std::nullopt;
    const std::string bus = device.get("bus");
    const std::string addr = device.get("addr");
    char* function = nullptr;
    unsigned long place = 8 * std::strtoul(addr.c_str(), &function, 16);
    if (*function == '.')
        place += std::strtoul(function + 1, nullptr, 16);
    return std::pair(bus == "pci.0" || bus == "pcie.0" ? "" : bus, static_cast<unsigned>(place));
}

std::string keep_references(LegacyParts& parts, Properties& properties) {
    return keep_references(parts, properties, 0);
}

bool has_limits(const LegacyParts& parts, std::string_view id) {
    return std::none_of(parts.parts.begin(), parts.parts.end(), [&](const LegacyPart& part) {
        return part.properties.get("id") == id && is_without_limits(part.properties);
    });
}

void take_device(LegacyParts& parts, const LegacyOption& option) {
    parts.devices.push_back(
        {option.text, Properties::parse(option.value, "driver"), false, option.slot});
}

void take_part(LegacyParts& parts, const LegacyOption& option) {
    const std::string name(option.kind->name);
    const std::string first = name == "object"    ? "qom-type"
                              : name == "chardev" ? "backend"
                              : name == "fsdev"   ? "fsdriver"
                                                  : "type";
    parts.parts.push_back({name, option.text, Properties::parse(option.value, first), first});
}

void take_serial(LegacyParts& parts, const LegacyOption& option) {
    if (option.value == "none")
        parts.result.dropped(option.text,
                             "a VM of tapgate always has a serial line, which does no harm");
    else
        add_serial_line(
            parts, option.text,
            option.value.starts_with("/dev/ttyS") || option.value.starts_with("/dev/ttyU")
                ? "it is no longer connected to the host's device"
                : "");
}

void take_sound(LegacyParts& parts, const LegacyOption& option) {
    std::vector<std::string> devices;
    std::string left_out;
    std::string_view rest = option.value;
    while (!rest.empty()) {
        const std::string_view name = rest.substr(0, rest.find(','));
        rest.remove_prefix(std::min(name.size() + 1, rest.size()));
        const auto card = sound_devices(name);
        devices.insert(devices.end(), card.begin(), card.end());
        if (card.empty())
            left_out.append(left_out.empty() ? "left out: " : ", ").append(name);
    }
    if (devices.empty())
        parts.result.dropped(option.text, "the guest's sound is not played on the host");
    else
        keep_sound(option.text, devices, parts.machine, parts.result, left_out);
}

// -audio driver=spice,model=ac97 is -audiodev and -soundhw in one.
void take_audio(LegacyParts& parts, const LegacyOption& option) {
    const std::string model = Properties::parse(option.value, "driver").get("model");
    if (const auto devices = sound_devices(model); !devices.empty())
        keep_sound(option.text, devices, parts.machine, parts.result);
    else
        parts.result.dropped(option.text, "the guest's sound is not played on the host");
}

void take_usb_device(LegacyParts& parts, const LegacyOption& option) {
    const std::string& value = option.value;
    const size_t colon = std::min(value.find(':'), value.size());
    const std::string kind = value.substr(0, colon);
    const std::string rest = value.substr(std::min(colon + 1, value.size()));
    Properties device;
    if (kind == "tablet" || kind == "mouse" || kind == "keyboard") {
        parts.result.dropped(option.text,
                             kind == "keyboard" ? "the machine has a keyboard anyway" : own_tablet);
    } else if (kind == "host" && rest.find(':') != std::string::npos) {
        device.set("driver", "usb-host");
        device.set("vendorid", "0x" + rest.substr(0, rest.find(':')));
        device.set("productid", "0x" + rest.substr(rest.find(':') + 1));
        keep_usb_device(option.text, {}, device, parts.machine, parts.result);
    } else if (kind == "host" && rest.find('.') != std::string::npos) {
        device.set("driver", "usb-host");
        device.set("hostbus", rest.substr(0, rest.find('.')));
        device.set("hostaddr", rest.substr(rest.find('.') + 1));
        keep_usb_device(option.text, {}, device, parts.machine, parts.result);
    } else if (kind == "disk" && !rest.empty()) {
        const std::string id = "keptstick" + std::to_string(parts.usb_disks++);
        std::string file = rest.substr(rest.starts_with(':') ? 1 : 0);
        std::string format;
        // disk:format=raw:FILE
        if (constexpr std::string_view key = "format="; file.starts_with(key)) {
            const size_t end = std::min(file.find(':'), file.size());
            format = file.substr(key.size(), end - key.size());
            file.erase(0, end + 1);
        }
        Properties drive;
        drive.set("if", "none");
        drive.set("id", id);
        drive.set("format", format.empty() ? format_by_name(file).first : format);
        drive.set("file", parts.machine.absolute(file));
        device.set("driver", "usb-storage");
        device.set("drive", id);
        keep_usb_device(option.text, {"-drive", drive.str()}, device, parts.machine, parts.result,
                        parts.boot.add_kept(BootKind::disk, std::nullopt, last_rank));
    } else {
        parts.result.dropped(option.text, "QEMU no longer has this device");
    }
}

void take_watchdog(LegacyParts& parts, const LegacyOption& option) {
    parts.result.keep(option.text, {"-device", option.value}, "QEMU no longer has -watchdog");
}

void add_devices(LegacyParts& parts) {
    const auto& settings = parts.result.settings;
    parts.has_drive = parts.partial || parts.boot.has_drive() ||
                      std::any_of(settings.begin(), settings.end(),
                                  [](const auto& setting) { return setting.first == "kernel"; });
    for (const LegacyDevice& device : parts.devices) {
        if (!device.taken)
            add_device(parts, device);
    }
    add_rest(parts);
}

}  // namespace tapgate
