// SPDX-License-Identifier: GPL-2.0-or-later
//
// Devices that no setting covers and that QEMU takes as they are: TPMs, vsock, IOMMUs, shared
// memory. The note says what has to exist on the host.
#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "launcher/base/text.h"
#include "launcher/foreign/domain/parts.h"
#include "launcher/foreign/translation/xml_document.h"
#include "launcher/vm/name.h"

namespace tapgate {

namespace {

constexpr std::string_view listens =
    "its program has to be listening at its socket before each start";

std::string whole(const pugi::xml_node& device) {
    return tag_of(device) + contents_of(device);
}

// Keeps `arguments` in place of the element; the note contains the whole element.
void keep(DomainParts& domain, const pugi::xml_node& device,
          const std::vector<std::string>& arguments, std::string_view why) {
    domain.xml.take(device);
    domain.result.keep(whole(device), arguments, std::string(why));
}

struct Read {
    const char* child;  // "": the device itself
    const char* attribute;
};

// The same; the note names what is neither in the arguments nor among the attributes in `read`.
template <size_t n>
void keep_read(DomainParts& domain, const pugi::xml_node& device,
               const std::vector<std::string>& arguments, std::string why,
               const std::array<Read, n>& read) {
    for (const Read& one : read) {
        const bool own = one.child[0] == '\0';
        domain.xml.attribute(own ? device : device.child(one.child), one.attribute);
    }
    std::string was = tag_of(device);
    for (const char* const child : {"source", "target", "mac"}) {
        if (device.child(child))
            was += tag_of(device.child(child));
    }
    domain.result.keep(was, arguments, domain.with_left(device, std::move(why)));
}

void drop_whole(DomainParts& domain, const pugi::xml_node& device, const std::string& why) {
    domain.xml.take(device);
    domain.result.dropped(whole(device), why);
}

// ",key=value" for each attribute that is there.
template <size_t n>
std::string properties_of(const pugi::xml_node& node,
                          const std::array<std::pair<const char*, const char*>, n>& names) {
    std::string text;
    for (const auto& [attribute, property] : names) {
        if (const pugi::xml_attribute found = node.attribute(attribute))
            text += std::string(",") + property + "=" + commas_doubled(found.value());
    }
    return text;
}

// The node's attributes except these.
template <size_t n>
std::string others_of(const pugi::xml_node& node,
                      const std::array<std::pair<const char*, const char*>, n>& names) {
    std::string text;
    for (const pugi::xml_attribute& attribute : node.attributes()) {
        const std::string_view name = attribute.name();
        if (std::none_of(names.begin(), names.end(),
                         [&](const auto& one) { return one.first == name; }))
            add_reason(text,
                       "left out: " + std::string(name) + "='" + shown(attribute.value()) + "'");
    }
    return text;
}

// In bytes, as QEMU reads it; empty if it is not a size.
std::string size_of(XmlLeft& xml, const pugi::xml_node& node) {
    const auto bytes = domain_bytes(xml, node);
    return bytes && *bytes > 0 ? std::to_string(static_cast<std::uint64_t>(*bytes)) : "";
}

void keep_tpm_socket(DomainParts& domain, const pugi::xml_node& tpm, const std::string& model,
                     const std::string& path) {
    keep(domain, tpm,
         {"-chardev", "socket,id=kepttpmsocket,path=" + commas_doubled(path), "-tpmdev",
          "emulator,id=kepttpm,chardev=kepttpmsocket", "-device", model + ",tpmdev=kepttpm"},
         "swtpm has to be listening at its socket before each start");
}

}  // namespace

void read_domain_tpm(DomainParts& domain, const pugi::xml_node& tpm) {
    const pugi::xml_node backend = tpm.child("backend");
    const std::string_view type = backend.attribute("type").value();
    std::string model = tpm.attribute("model").value();
    if (model != "tpm-crb")
        model = "tpm-tis";
    const std::string device = backend.child("device").attribute("path").value();
    const std::string socket = backend.child("source").attribute("path").value();
    if (type == "passthrough" && device.starts_with('/'))
        keep(domain, tpm,
             {"-tpmdev", "passthrough,id=kepttpm,path=" + commas_doubled(device), "-device",
              model + ",tpmdev=kepttpm"},
             "you need access to the device");
    else if (type == "external" && is_users_path(socket))
        keep_tpm_socket(domain, tpm, model, socket);
    else
        drop_whole(domain, tpm,
                   "libvirt ran its TPM (swtpm): start one yourself (swtpm socket --tpm2 "
                   "--tpmstate dir=DIR --ctrl type=unixio,path=SOCKET), and add -chardev "
                   "socket,id=tpm,path=SOCKET -tpmdev emulator,id=tpm0,chardev=tpm -device " +
                       model + ",tpmdev=tpm0 with --qemu-arg");
}

void read_domain_vsock(DomainParts& domain, const pugi::xml_node& vsock) {
    const std::string number = vsock.child("cid").attribute("address").value();
    const std::string_view model = vsock.attribute("model").value();
    if (parse_whole<std::uint32_t>(number, 3))
        keep(domain, vsock,
             {"-device",
              std::string(model == "virtio-non-transitional" ? "vhost-vsock-pci-non-transitional"
                                                             : "vhost-vsock-pci") +
                  ",guest-cid=" + number},
             std::string(
                 "you need access to /dev/vhost-vsock, and no other VM may have this number") +
                 (model == "virtio-transitional" ? "; it was a transitional one" : ""));
    else
        drop_whole(domain, vsock,
                   "libvirt chose its number at each start; with access to /dev/vhost-vsock, add "
                   "--qemu-arg=-device --qemu-arg=vhost-vsock-pci,guest-cid=N");
}

void read_domain_iommu(DomainParts& domain, const pugi::xml_node& iommu) {
    const std::string_view model = iommu.attribute("model").value();
    const pugi::xml_node driver = iommu.child("driver");
    constexpr std::array<std::pair<const char*, const char*>, 7> intel = {{
        {"intremap", "intremap"},
        {"caching_mode", "caching-mode"},
        {"eim", "eim"},
        {"iotlb", "device-iotlb"},
        {"aw_bits", "aw-bits"},
        {"dma_translation", "dma-translation"},
        {"granule", "granule"},
    }};
    constexpr std::array<std::pair<const char*, const char*>, 4> amd = {{
        {"intremap", "intremap"},
        {"passthrough", "pt"},
        {"xtsup", "xtsup"},
        {"iotlb", "device-iotlb"},
    }};
    const auto with_inside = [&](std::string left) {
        if (driver.first_child())
            add_reason(left, "left out: " + contents_of(driver));
        return left;
    };
    if (!domain.machine.q35 || (model != "intel" && model != "amd" && model != "virtio"))
        drop_whole(
            domain, iommu,
            "this IOMMU cannot be in machine " + std::string(domain.machine.q35 ? "q35" : "pc"));
    else if (model == "virtio")
        keep(domain, iommu, {"-device", "virtio-iommu-pci"},
             driver ? "left out: " + whole(driver) : "");
    else if (model == "intel")
        keep(domain, iommu, {"-device", "intel-iommu" + properties_of(driver, intel)},
             with_inside(others_of(driver, intel)));
    else
        keep(domain, iommu,
             {"-device",
              amd_iommu(Properties::parse("amd-iommu" + properties_of(driver, amd), "driver"))},
             with_inside(others_of(driver, amd)));
}

void read_domain_shared_memory(DomainParts& domain, const pugi::xml_node& shmem) {
    const std::string name = shmem.attribute("name").value();
    const std::string_view model = shmem.child("model").attribute("type").value();
    const std::string server = shmem.child("server").attribute("path").value();
    const std::string id = "keptshm" + std::to_string(domain.kept_memories++);
    std::string size = size_of(domain.xml, shmem.child("size"));
    if (model == "ivshmem-plain" && name.find('/') == std::string::npos && !name.empty()) {
        if (size.empty())
            size = "4194304";  // libvirt's default
        keep(domain, shmem,
             {"-object",
              "memory-backend-file,id=" + id + ",mem-path=/dev/shm/" + commas_doubled(name) +
                  ",size=" + size + ",share=on",
              "-device",
              "ivshmem-plain,memdev=" + id +
                  (shmem.attribute("role").value() == std::string_view("master") ? ",master=on"
                                                                                 : "")},
             "you need access to its file in /dev/shm");
    } else if (model == "ivshmem-doorbell" && is_users_path(server)) {
        const pugi::xml_node msi = shmem.child("msi");
        constexpr std::array<std::pair<const char*, const char*>, 2> names = {
            {{"vectors", "vectors"}, {"ioeventfd", "ioeventfd"}}};
        keep(domain, shmem,
             {"-chardev", "socket,id=" + id + ",path=" + commas_doubled(server), "-device",
              "ivshmem-doorbell,chardev=" + id + properties_of(msi, names)},
             listens);
    } else {
        drop_whole(domain, shmem,
                   "tapgate starts no server for it; see ivshmem-server, -device ivshmem-doorbell "
                   "in qemu(1), and --qemu-arg");
    }
}

void read_domain_crypto(DomainParts& domain, const pugi::xml_node& crypto) {
    const pugi::xml_node backend = crypto.child("backend");
    if (backend.attribute("model").value() != std::string_view("builtin")) {
        drop_whole(domain, crypto,
                   "its backend is in the host's kernel; to have it, add -object "
                   "cryptodev-backend-lkcf and -device virtio-crypto-pci with --qemu-arg");
        return;
    }
    const std::string id = "keptcrypto" + std::to_string(domain.kept_memories++);
    constexpr std::array<std::pair<const char*, const char*>, 1> names = {{{"queues", "queues"}}};
    keep(domain, crypto,
         {"-object", "cryptodev-backend-builtin,id=" + id + properties_of(backend, names),
          "-device", "virtio-crypto-pci,cryptodev=" + id},
         "");
}

void read_domain_pstore(DomainParts& domain, const pugi::xml_node& pstore) {
    const std::string path = domain.xml.text(pstore.child("path"));
    const std::string size = size_of(domain.xml, pstore.child("size"));
    if (!is_users_path(path) || size.empty()) {
        drop_whole(domain, pstore,
                   "its file was libvirt's; for a file of your own, add -object "
                   "memory-backend-file and -device acpi-erst with --qemu-arg");
        return;
    }
    keep(domain, pstore,
         {"-object",
          "memory-backend-file,id=keptpstore,mem-path=" + commas_doubled(path) + ",size=" + size +
              ",share=on",
          "-device", "acpi-erst,memdev=keptpstore"},
         "you need access to the file");
}

bool is_virtiofs_share(const pugi::xml_node& filesystem) {
    const std::string_view type = filesystem.attribute("type").value();
    const std::string_view tag = filesystem.child("target").attribute("dir").value();
    return filesystem.child("driver").attribute("type").value() == std::string_view("virtiofs") &&
           (type.empty() || type == "mount") &&
           filesystem.child("source").attribute("dir").value()[0] == '/' && tag.size() <= 31 &&
           VmName::parse(tag) && has_plain_shared_memory(filesystem.parent().parent());
}

bool keep_domain_virtiofs(DomainParts& domain, const pugi::xml_node& filesystem) {
    const std::string socket = filesystem.child("source").attribute("socket").value();
    const std::string tag = filesystem.child("target").attribute("dir").value();
    if (!is_users_path(socket) || tag.empty())
        return false;
    const std::string id = "keptfs" + std::to_string(domain.kept_memories++);
    constexpr std::array<std::pair<const char*, const char*>, 1> names = {
        {{"queue", "queue-size"}}};
    constexpr std::array<Read, 6> read = {{{"", "type"},
                                           {"", "accessmode"},
                                           {"driver", "type"},
                                           {"driver", "queue"},
                                           {"source", "socket"},
                                           {"target", "dir"}}};
    keep_read(domain, filesystem,
              {"-chardev", "socket,id=" + id + ",path=" + commas_doubled(socket), "-device",
               "vhost-user-fs-pci,chardev=" + id + ",tag=" + commas_doubled(tag) +
                   properties_of(filesystem.child("driver"), names)},
              "virtiofsd has to be listening at its socket before each start, and the guest's "
              "memory has to be shared",
              read);
    return true;
}

bool keep_domain_channel(DomainParts& domain, const pugi::xml_node& channel) {
    const pugi::xml_node source = channel.child("source");
    const pugi::xml_node target = channel.child("target");
    const std::string path = source.attribute("path").value();
    const std::string name = target.attribute("name").value();
    if (channel.attribute("type").value() != std::string_view("unix") ||
        target.attribute("type").value() != std::string_view("virtio") || !is_users_path(path) ||
        name.empty())
        return false;
    const bool server = source.attribute("mode").value() != std::string_view("connect");
    const std::string id = "keptchannel" + std::to_string(domain.kept_memories++);
    constexpr std::array<Read, 5> read = {{{"", "type"},
                                           {"source", "path"},
                                           {"source", "mode"},
                                           {"target", "type"},
                                           {"target", "name"}}};
    keep_read(
        domain, channel,
        {"-chardev",
         "socket,id=" + id + ",path=" + commas_doubled(path) +
             (server ? ",server=on,wait=off" : ""),
         "-device", serial_port_device("virtserialport", id, name)},
        server ? "QEMU makes the socket, so its directory has to be yours" : std::string(listens),
        read);
    return true;
}

bool keep_domain_vhost_net(DomainParts& domain, const pugi::xml_node& interface,
                           const std::string& model) {
    const pugi::xml_node source = interface.child("source");
    const std::string path = source.attribute("path").value();
    if (!is_users_path(path))
        return false;
    const bool server = source.attribute("mode").value() == std::string_view("server");
    const auto mac = MacAddress::parse(interface.child("mac").attribute("address").value());
    const auto queues =
        parse_whole<unsigned>(interface.child("driver").attribute("queues").value());
    const std::string id = "keptnet" + std::to_string(domain.kept_nets++);
    domain.has_net = true;
    const auto order = boot_order_of(domain, interface);
    constexpr std::array<Read, 7> read = {{{"", "type"},
                                           {"source", "type"},
                                           {"source", "path"},
                                           {"source", "mode"},
                                           {"mac", "address"},
                                           {"model", "type"},
                                           {"driver", "queues"}}};
    keep_read(
        domain, interface,
        {"-chardev",
         "socket,id=" + id + "socket,path=" + commas_doubled(path) + (server ? ",server=on" : ""),
         "-netdev",
         "vhost-user,id=" + id + ",chardev=" + id + "socket" +
             (queues && *queues > 1 ? ",queues=" + std::to_string(*queues) : ""),
         "-device",
         (model == "virtio" ? "virtio-net-pci" : model) + ",netdev=" + id +
             (mac ? ",mac=" + mac->str() : "") +
             domain.boot.add_kept(BootKind::net, order, domain.adapter_rank(interface))},
        server ? "QEMU waits at the socket until a program connects to it, and the guest's memory "
                 "has to be shared"
               : std::string(listens) + ", and the guest's memory has to be shared",
        read);
    return true;
}

bool keep_domain_vhost_disk(DomainParts& domain, const pugi::xml_node& disk, unsigned rank) {
    const std::string path = disk.child("source").attribute("path").value();
    if (disk.attribute("type").value() != std::string_view("vhostuser") || !is_users_path(path))
        return false;
    const auto order = boot_order_of(domain, disk);
    const std::string id = "keptdisk" + std::to_string(domain.kept_memories++);
    constexpr std::array<Read, 8> read = {{{"", "type"},
                                           {"", "device"},
                                           {"driver", "name"},
                                           {"driver", "type"},
                                           {"source", "type"},
                                           {"source", "path"},
                                           {"target", "dev"},
                                           {"target", "bus"}}};
    keep_read(
        domain, disk,
        {"-chardev", "socket,id=" + id + ",path=" + commas_doubled(path), "-device",
         "vhost-user-blk-pci,chardev=" + id + domain.boot.add_kept(BootKind::disk, order, rank)},
        std::string(listens) + ", and the guest's memory has to be shared", read);
    return true;
}

}  // namespace tapgate
