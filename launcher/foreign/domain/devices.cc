// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <utility>

#include "launcher/base/text.h"
#include "launcher/foreign/domain/parts.h"
#include "launcher/foreign/translation/words.h"
#include "launcher/foreign/translation/xml_document.h"

namespace tapgate {

namespace {

// A kind of device without a setting, and what its note says.
struct Dropped {
    std::string_view element;
    std::string_view why;
};

constexpr std::string_view own_place = "tapgate gives each device its place";
constexpr std::string_view for_spice = "it was for a SPICE viewer";
constexpr std::string_view other_end = "what it was connected to outside the VM is not imported";

constexpr Dropped dropped_devices[] = {
    {"emulator", "tapgate uses the QEMU of this host"},
    {"hub", own_place},
    {"redirdev", "it was for a USB device at a SPICE viewer or at another program"},
    {"redirfilter", for_spice},
    {"rng", "all of tapgate's VMs have a random number generator"},
    {"audio", "the guest's sound is not played on the host"},
    {"parallel", "tapgate's machines have no parallel port"},
    {"lease", "no lock manager is needed: tapgate locks the VM, and QEMU its images"},
    {"nvram", "variables are made for each VM"},
};

std::string quoted_paths(const std::string& text) {
    return commas_doubled(text);
}

void read_graphics(DomainParts& domain, const pugi::xml_node& graphics) {
    XmlLeft& xml = domain.xml;
    const std::string type = xml.attribute(graphics, "type");
    const std::string port = xml.attribute(graphics, "port");
    xml.attribute(graphics, "autoport");
    const std::string listen = xml.attribute(graphics, "listen");
    std::string address = listen;
    for (const pugi::xml_node& one : graphics.children("listen")) {
        xml.attribute(one, "type");
        if (const std::string there = xml.attribute(one, "address"); !there.empty())
            address = there;
    }
    std::string why = "on a socket that only you can open";
    if (type == "egl-headless") {
        domain.drop(graphics, "the screen of display=vnc needs no graphics card of the host");
        return;
    }
    if (type != "vnc")
        why += ", for a VNC viewer instead of " + type;
    if (!port.empty() && port != "-1")
        why += "; it was on port " + port + (address.empty() ? "" : " of " + address);
    else if (!address.empty() && address != "127.0.0.1")
        why += "; it was on " + address;
    for (const char* const secret : {"passwd", "passwdValidTo"}) {
        if (!xml.attribute(graphics, secret).empty())
            add_reason(why, std::string("its ") + secret + " is not imported");
    }
    domain.has_screen = true;
    domain.set(tag_of(graphics), "display", "vnc", domain.with_left(graphics, why));
}

void read_serial(DomainParts& domain, const pugi::xml_node& serial) {
    XmlLeft& xml = domain.xml;
    const std::string type = xml.attribute(serial, "type");
    const pugi::xml_node source = serial.child("source");
    const std::string was = tag_of(serial) + (source ? tag_of(source) : "");
    const std::string target = xml.attribute(serial.child("target"), "type");
    const std::string port = xml.attribute(serial.child("target"), "port");
    const std::string model = xml.attribute(serial.child("target").child("model"), "name");
    const std::string device = model.empty() ? target : model;
    const bool is_usual = device.empty() || device == "serial" || device.starts_with("isa-serial");
    // This is what was at the line's other end.
    xml.take(source);
    xml.take(serial.child("protocol"));
    xml.attribute(serial, "tty");
    const bool is_line =
        std::string_view(serial.name()) == "serial" || target == "serial" || target.empty();
    // <console> often names the serial line a second time.
    if (std::string_view(serial.name()) == "console" && is_line && domain.serials > 0)
        domain.result.dropped(was, domain.with_left(serial, "it is the same serial line again"));
    else if (!is_line)
        domain.result.dropped(was, domain.with_left(serial, "tapgate's VMs have a serial console"));
    else if (domain.serials++ == 0) {
        std::string why = "in the VM's directory; it was a " + type;
        if (!is_usual)
            why += "; the guest's device was " + device + " and is now isa-serial";
        else if (std::string_view(serial.name()) == "serial" && !port.empty() && port != "0")
            why += "; it was the guest's line " + port + " and is now its first, 0";
        domain.result.changed(was, "console.sock and console.log", domain.with_left(serial, why));
    } else
        domain.result.dropped(
            was, domain.with_left(serial,
                                  "tapgate's VMs have only one serial line" +
                                      (is_usual ? std::string() : ": this one was a " + device)));
}

void read_channel(DomainParts& domain, const pugi::xml_node& channel) {
    XmlLeft& xml = domain.xml;
    const std::string name = xml.attribute(channel.child("target"), "name");
    if (name != "org.qemu.guest_agent.0" && keep_domain_channel(domain, channel))
        return;
    xml.attribute(channel, "type");
    xml.take(channel.child("target"));
    const std::string was = tag_of(channel) + tag_of(channel.child("target"));
    if (name == "org.qemu.guest_agent.0") {
        xml.take(channel.child("source"));
        domain.result.dropped(
            was, domain.with_left(channel, "all of tapgate's VMs have the guest agent's channel"));
        return;
    }
    domain.result.dropped(
        was, domain.with_left(channel, name == "com.redhat.spice.0" ? std::string(for_spice)
                                                                    : std::string(other_end)));
}

void read_video(DomainParts& domain, const pugi::xml_node& video) {
    XmlLeft& xml = domain.xml;
    const pugi::xml_node model = video.child("model");
    const std::string type = xml.attribute(model, "type");
    const std::string was = tag_of(video) + tag_of(model);
    if (type == "vga" || type == "none" || type.empty())
        domain.result.dropped(was,
                              domain.with_left(video,
                                               "the screen of display=vnc has a standard VGA, and "
                                               "display=none has none"));
    else
        domain.result.dropped(
            was,
            domain.with_left(video, "the screen of display=vnc is the standard VGA, not " + type));
}

void read_sound(DomainParts& domain, const pugi::xml_node& sound) {
    const std::string model = domain.xml.attribute(sound, "model");
    domain.xml.take(sound.child("audio"));
    auto devices = sound_devices(model);
    bool first = true;
    std::string was = tag_of(sound);
    for (const pugi::xml_node& codec : sound.children("codec")) {
        const std::string type = domain.xml.attribute(codec, "type");
        was += tag_of(codec);
        constexpr std::array<std::string_view, 3> codecs = {"duplex", "micro", "output"};
        if (devices.size() < 2 || !is_one_of(type, codecs))
            continue;
        // A card without <codec> gets its default one; the first <codec> replaces that.
        if (std::exchange(first, false))
            devices.resize(1);
        devices.push_back("hda-" + type + ",audiodev=keptsound");
    }
    if (devices.empty())
        domain.drop(sound, "the guest's sound is not played on the host");
    else
        keep_sound(was, devices, domain.machine, domain.result);
}

void read_smartcard(DomainParts& domain, const pugi::xml_node& card) {
    const std::string_view mode = card.attribute("mode").value();
    const std::string_view type = card.attribute("type").value();
    domain.drop(card, type != "spicevmc" && !type.empty() && mode == "passthrough"
                          ? std::string(other_end)
                      : mode == "host" || mode == "host-certificates"
                          ? "the guest used the host's smartcards or certificates: to give it "
                            "these again, add --qemu-arg=-device --qemu-arg=usb-ccid "
                            "--qemu-arg=-device --qemu-arg=ccid-card-emulated,..."
                          : std::string(for_spice));
}

// On q35, libvirt puts a card on a PCIe port, unless the address says that it is on the bus itself.
std::vector<std::string> port_for_card(DomainParts& domain, const pugi::xml_node& device,
                                       Properties& card) {
    if (!domain.machine.q35)
        return {};
    const pugi::xml_node place = device.child("address");
    XmlLeft ignored;  // addresses are never named as left out
    const std::string at = domain_pci_address(ignored, place);
    const std::string function = at.substr(at.rfind('.'));
    const bool several =
        place.attribute("multifunction").value() == std::string_view("on") || function != ".0";
    if (place && at.starts_with("0000:00:") && !several)
        return {};
    std::vector<std::string> port =
        place_on_port(domain.machine,
                      place ? at.substr(0, at.rfind('.'))
                            : "card " + std::to_string(domain.machine.card_ports.size()),
                      several ? function : "", {}, card);
    if (place.attribute("multifunction").value() == std::string_view("on"))
        card.set("multifunction", "on");
    return port;
}

void keep_host_usb(DomainParts& domain, const pugi::xml_node& device, const std::string& was,
                   std::optional<std::uint64_t> order) {
    XmlLeft& xml = domain.xml;
    const pugi::xml_node source = device.child("source");
    const pugi::xml_node address = source.child("address");
    const std::string vendor = xml.attribute(source.child("vendor"), "id");
    const std::string product = xml.attribute(source.child("product"), "id");
    Properties kept;
    kept.set("driver", "usb-host");
    if (!vendor.empty() && !product.empty()) {
        kept.set("vendorid", vendor);
        kept.set("productid", product);
    }
    // The place where it is plugged in tells it from others of the same kind.
    if (address) {
        kept.set("hostbus", xml.attribute(address, "bus"));
        kept.set("hostaddr", xml.attribute(address, "device"));
    }
    xml.take(address);
    keep_usb_device(was, {}, kept, domain.machine, domain.result,
                    domain.boot.add_kept(BootKind::disk, order, last_rank),
                    domain.with_left(device, ""));
}

void keep_host_card(DomainParts& domain, const pugi::xml_node& device, const std::string& was,
                    std::optional<std::uint64_t> order) {
    XmlLeft& xml = domain.xml;
    const pugi::xml_node address = device.child("source").child("address");
    xml.attribute(device.child("driver"), "name");
    Properties kept;
    kept.set("driver", "vfio-pci");
    kept.set("host", domain_pci_address(xml, address));
    xml.take(address);
    const pugi::xml_node rom = device.child("rom");
    if (const std::string bar = xml.attribute(rom, "bar"); !bar.empty())
        kept.set("rombar", bar == "off" ? "0" : "1");
    if (const std::string file = xml.attribute(rom, "file"); !file.empty())
        kept.set("romfile", file);
    std::vector<std::string> arguments = port_for_card(domain, device, kept);
    arguments.insert(
        arguments.end(),
        {"-device", kept.str("driver") + domain.boot.add_kept(BootKind::disk, order, last_rank)});
    domain.result.keep(
        was, arguments,
        domain.with_left(
            device, "the device has to be bound to vfio-pci, and you need access to /dev/vfio"));
}

// A part of a card of the host's, which the card's driver makes.
void keep_mediated_card(DomainParts& domain, const pugi::xml_node& device, const std::string& was) {
    XmlLeft& xml = domain.xml;
    const pugi::xml_node address = device.child("source").child("address");
    Properties kept;
    kept.set("driver", "vfio-pci");
    kept.set("sysfsdev", "/sys/bus/mdev/devices/" + xml.attribute(address, "uuid"));
    xml.attribute(device, "model");
    xml.take(address);
    std::vector<std::string> arguments = port_for_card(domain, device, kept);
    arguments.insert(arguments.end(), {"-device", kept.str("driver")});
    domain.result.keep(
        was, arguments,
        domain.with_left(device, "the device has to exist, and you need access to it"));
}

// <hostdev>: a device of the host's that the guest has for itself.
void read_host_device(DomainParts& domain, const pugi::xml_node& device) {
    XmlLeft& xml = domain.xml;
    const std::string type = xml.attribute(device, "type");
    const std::string mode = xml.attribute(device, "mode");
    const pugi::xml_node source = device.child("source");
    const pugi::xml_node address = source.child("address");
    const std::string was = tag_of(device) + (address ? tag_of(address) : tag_of(source));
    const auto order = boot_order_of(domain, device);
    xml.attribute(source, "");
    if (xml.attribute(device, "managed") == "yes" && type == "pci") {
        xml.attribute(device.child("driver"), "name");
        xml.take(address);
    }
    const std::string_view model = device.attribute("model").value();
    const bool is_vfio = model.empty() || model == "vfio-pci";
    if (device.child("address").attribute("type").value() == std::string_view("unassigned"))
        domain.drop(device,
                    "the guest could not see it: libvirt only kept it reserved on the host");
    else if (mode == "subsystem" && type == "usb")
        keep_host_usb(domain, device, was, order);
    else if (mode == "subsystem" && type == "pci" && address)
        keep_host_card(domain, device, was, order);
    else if (mode == "subsystem" && type == "mdev" && address && is_vfio)
        keep_mediated_card(domain, device, was);
    else
        domain.drop(device, "tapgate has no setting for it; see --qemu-arg");
}

void read_watchdog(DomainParts& domain, const pugi::xml_node& watchdog) {
    const std::string model = domain.xml.attribute(watchdog, "model");
    const std::string action = domain.xml.attribute(watchdog, "action");
    std::vector<std::string> arguments;
    if (model == "i6300esb" || model == "ib700")
        arguments = {"-device", model};
    else if (model == "itco" && domain.machine.q35)
        arguments = {"-global", "ICH9-LPC.noreboot=off"};  // without this it never fires
    if (!action.empty() && action != "dump")
        arguments.insert(arguments.end(),
                         {"-action", "watchdog=" + (action == "reset" ? "reset" : action)});
    const std::string why =
        domain.with_left(watchdog, action == "dump" ? "only libvirt has the action dump" : "");
    if (arguments.empty())
        domain.result.dropped(tag_of(watchdog), !why.empty() ? why
                                                : model == "itco"
                                                    ? "only machine q35 has one"
                                                    : "tapgate's VMs cannot have this one");
    else
        domain.result.keep(tag_of(watchdog), arguments, why);
}

void read_filesystem(DomainParts& domain, const pugi::xml_node& filesystem) {
    XmlLeft& xml = domain.xml;
    const std::string type = xml.attribute(filesystem, "type");
    const std::string mode = xml.attribute(filesystem, "accessmode");
    const std::string driver = xml.attribute(filesystem.child("driver"), "type");
    const std::string path = xml.attribute(filesystem.child("source"), "dir");
    const std::string tag = xml.attribute(filesystem.child("target"), "dir");
    const std::string was = tag_of(filesystem) + tag_of(filesystem.child("source")) +
                            tag_of(filesystem.child("target"));
    if (is_virtiofs_share(filesystem)) {
        const bool read_only = filesystem.child("readonly");
        xml.take(filesystem.child("readonly"));
        domain.set(was, "share",
                   commas_doubled(path) + ",tag=" + tag + (read_only ? ",readonly=on" : "") +
                       ",via=virtiofs",
                   domain.with_left(filesystem, "this host needs a virtiofsd"));
        return;
    }
    if (driver == "virtiofs") {
        if (!keep_domain_virtiofs(domain, filesystem))
            domain.drop(filesystem,
                        "libvirt ran a virtiofsd for it; --share=DIR,tag=TAG shares the directory "
                        "without one (mount -t 9p in the guest)");
        return;
    }
    const bool is_path = driver.empty() || driver == "path" || driver == "handle";
    if ((!type.empty() && type != "mount") || !is_path || path.empty() || tag.empty() ||
        !path.starts_with('/')) {
        domain.drop(filesystem, std::string("tapgate has no setting for it") +
                                    (is_path ? "" : " (driver " + driver + ")") +
                                    "; see -virtfs in qemu(1), and --qemu-arg");
        return;
    }
    std::string why;
    std::string model = "mapped-xattr";
    if (mode == "passthrough" || mode.empty() || mode == "squash") {
        model = "none";
        add_reason(why,
                   "new files belong to you, whoever makes them in the guest: only root can do " +
                       (mode.empty() ? "passthrough" : mode));
    }
    const std::string id = "keptfs" + std::to_string(domain.kept_memories++);
    std::string value =
        "local,id=" + id + ",path=" + quoted_paths(path) + ",security_model=" + model;
    if (filesystem.child("readonly"))
        value += ",readonly=on";
    xml.take(filesystem.child("readonly"));
    domain.result.keep(was,
                       {"-fsdev", value, "-device",
                        "virtio-9p-pci,fsdev=" + id + ",mount_tag=" + quoted_paths(tag)},
                       domain.with_left(filesystem, why));
}

// libvirt counts <memory model='dimm'> into <memory>, and so the guest has as much as before.
void read_memory_device(DomainParts& domain, const pugi::xml_node& memory) {
    const std::string model = domain.xml.attribute(memory, "model");
    const bool storage = model == "nvdimm" || model == "virtio-pmem";
    if (model == "sgx-epc") {
        domain.drop(memory,
                    "tapgate has no setting for it; see sgx-epc in qemu(1), and --qemu-arg");
        return;
    }
    domain.drop(memory,
                storage
                    ? "tapgate has no setting for it; see -device nvdimm in qemu(1), and --qemu-arg"
                    : "memory = includes it already; memory cannot be plugged in or out later");
}

void read_controller(DomainParts& domain, const pugi::xml_node& controller) {
    XmlLeft& xml = domain.xml;
    const std::string type = xml.attribute(controller, "type");
    const std::string index = xml.attribute(controller, "index");
    xml.take(controller.child("master"));
    if (type == "nvme")
        domain.nvme_serial = xml.text(controller.child("serial"));
    const std::string scsi = type == "scsi" ? scsi_model_of(domain, index) : "";
    const std::string ours = domain.hypervisor.empty() ? "virtio-scsi" : "SATA";
    domain.drop(controller, type == "usb" ? "USB devices are on a qemu-xhci controller"
                            : type == "scsi" && !scsi.starts_with("virtio")
                                ? "SCSI disks are now on " + ours + ", not on " + scsi
                                : std::string(own_place));
}

void read_input(DomainParts& domain, const pugi::xml_node& input) {
    const std::string type = domain.xml.attribute(input, "type");
    const std::string bus = domain.xml.attribute(input, "bus");
    domain.xml.attribute(input, "model");
    const bool ps2 = bus == "ps2" || (bus.empty() && type != "tablet");
    const bool usual = type == "tablet" || type == "mouse" || type == "keyboard";
    domain.drop(
        input,
        usual && ps2       ? "every PC has one"
        : type == "tablet" ? own_tablet
        : usual
            ? "every PC has a keyboard and a mouse on PS/2, and every VM with a screen a USB tablet"
            : "tapgate has no setting for it; see --qemu-arg");
}

void read_balloon(DomainParts& domain, const pugi::xml_node& balloon) {
    XmlLeft& xml = domain.xml;
    const bool none = xml.attribute(balloon, "model") == "none";
    for (const char* const plain : {"autodeflate", "freePageReporting"})
        xml.attribute(balloon, plain);
    domain.result.dropped(
        tag_of(balloon),
        domain.with_left(
            balloon, none ? "all of tapgate's VMs have one; it takes no memory unless it is told to"
                          : "all of tapgate's VMs have one"));
}

void read_panic(DomainParts& domain, const pugi::xml_node& panic) {
    const std::string model = domain.xml.attribute(panic, "model");
    if (model.empty() || model == "isa")
        domain.result.keep(tag_of(panic), {"-device", "pvpanic"}, domain.with_left(panic, ""));
    else if (model == "pvpanic")
        domain.result.keep(tag_of(panic), {"-device", "pvpanic-pci"}, domain.with_left(panic, ""));
    else
        domain.drop(panic, "tapgate has no setting for it");
}

}  // namespace

std::string domain_pci_address(XmlLeft& xml, const pugi::xml_node& address) {
    // As libvirt reads it: decimal, unless it begins with 0x.
    const auto part = [&](const char* key, size_t digits) {
        const std::string said = xml.attribute(address, key);
        const bool hexadecimal = said.starts_with("0x") || said.starts_with("0X");
        const std::string text = said.substr(hexadecimal ? 2 : 0);
        unsigned number = 0;
        std::from_chars(text.data(), text.data() + text.size(), number, hexadecimal ? 16 : 10);
        std::array<char, 8> shown_number = {};
        const auto end = std::to_chars(shown_number.data(),
                                       shown_number.data() + shown_number.size(), number, 16);
        const std::string hex(shown_number.data(), end.ptr);
        return hex.size() < digits ? std::string(digits - hex.size(), '0') + hex : hex;
    };
    return part("domain", 4) + ":" + part("bus", 2) + ":" + part("slot", 2) + "." +
           part("function", 1);
}

std::optional<unsigned> domain_pci_place(const pugi::xml_node& device) {
    const pugi::xml_node address = device.child("address");
    if (std::string_view(address.attribute("type").value()) != "pci")
        return std::nullopt;
    const auto part = [&](const char* key, unsigned most) {
        return std::min(address.attribute(key).as_uint(), most);
    };
    constexpr unsigned most_buses = 255;
    constexpr unsigned most_slots = 31;
    constexpr unsigned most_functions = 7;
    return ((part("bus", most_buses) * (most_slots + 1) + part("slot", most_slots)) *
            (most_functions + 1)) +
           part("function", most_functions);
}

void read_domain_device(DomainParts& domain, const pugi::xml_node& device) {
    struct Reader {
        std::string_view element;
        void (*read)(DomainParts&, const pugi::xml_node&);
    };
    static constexpr Reader readers[] = {
        {"disk", read_domain_disk},
        {"interface", read_domain_interface},
        {"graphics", read_graphics},
        {"serial", read_serial},
        {"console", read_serial},
        {"channel", read_channel},
        {"video", read_video},
        {"sound", read_sound},
        {"smartcard", read_smartcard},
        {"hostdev", read_host_device},
        {"watchdog", read_watchdog},
        {"filesystem", read_filesystem},
        {"memory", read_memory_device},
        {"controller", read_controller},
        {"input", read_input},
        {"memballoon", read_balloon},
        {"panic", read_panic},
        {"tpm", read_domain_tpm},
        {"vsock", read_domain_vsock},
        {"iommu", read_domain_iommu},
        {"shmem", read_domain_shared_memory},
        {"crypto", read_domain_crypto},
        {"pstore", read_domain_pstore},
    };
    const std::string_view name = device.name();
    const auto* const reader = std::find_if(std::begin(readers), std::end(readers),
                                            [&](const Reader& one) { return one.element == name; });
    if (reader != std::end(readers)) {
        reader->read(domain, device);
        return;
    }
    const auto* const known = std::find_if(std::begin(dropped_devices), std::end(dropped_devices),
                                           [&](const Dropped& one) { return one.element == name; });
    if (name == "emulator")
        domain.xml.take(device);
    domain.result.dropped(
        tag_of(device) + (name == "emulator" ? device.child_value() : ""),
        domain.with_left(device, known != std::end(dropped_devices)
                                     ? std::string(known->why)
                                     : "tapgate has no setting for it; see --qemu-arg"));
}

}  // namespace tapgate
