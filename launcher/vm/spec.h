// SPDX-License-Identifier: GPL-2.0-or-later
//
// What a VM is: passive data, made of types that cannot hold a wrong value. vm/description.h makes
// it from text, and qemu/argv.h makes QEMU's command line from it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "common/names.h"

namespace tapgate {

/// The absolute path of a file on the host: without NUL, and valid UTF-8, since QEMU gets it in
/// JSON, which cannot hold anything else. An absolute path neither begins with '-' nor looks like
/// one of QEMU's protocols (`nbd:`, `json:`).
class HostPath {
  public:
    /// `text`, which starts in `directory` if it is relative. Nothing when it cannot be such a
    /// path.
    static std::optional<HostPath> parse(std::string_view text, const std::string& directory);

    [[nodiscard]] const std::string& str() const { return path_; }

  private:
    explicit HostPath(std::string path) : path_(std::move(path)) {}
    std::string path_;
};

/// A guest's memory in whole MiB, from 1 MiB to 16 TiB.
class MemorySize {
  public:
    /// "512M", "2G", "1T"; a bare number means MiB, as with QEMU's -m.
    static std::optional<MemorySize> parse(std::string_view text);

    [[nodiscard]] std::uint64_t mebibytes() const { return mebibytes_; }

  private:
    explicit MemorySize(std::uint64_t mebibytes) : mebibytes_(mebibytes) {}
    std::uint64_t mebibytes_;
};

/// The MiB that QEMU needs in addition to its guest's memory: for itself, for the devices, and for
/// page tables. Without KVM, the translated code comes on top.
std::uint64_t memory_beside_guest(MemorySize guest);

/// MiB of translated code: enough for a guest without KVM; the least with which it still makes
/// progress; and QEMU's own limit.
inline constexpr std::uint64_t translated_code = 256;
inline constexpr std::uint64_t least_translated_code = 32;
inline constexpr std::uint64_t most_translated_code = 1024;

/// How many CPUs there are, and how they are arranged. Their product is 1 to 255, as many as a
/// guest without an IOMMU can address.
class CpuTopology {
  public:
    static constexpr unsigned most_cpus = 255;

    static std::optional<CpuTopology> make(unsigned sockets, unsigned cores, unsigned threads);

    [[nodiscard]] unsigned cpus() const { return sockets_ * cores_ * threads_; }
    [[nodiscard]] unsigned sockets() const { return sockets_; }
    [[nodiscard]] unsigned cores() const { return cores_; }
    [[nodiscard]] unsigned threads() const { return threads_; }

  private:
    CpuTopology(unsigned sockets, unsigned cores, unsigned threads)
        : sockets_(sockets), cores_(cores), threads_(threads) {}
    unsigned sockets_;
    unsigned cores_;
    unsigned threads_;
};

/// A CPU model and its features as in -cpu: "host", "qemu64,+vmx", "max,pmu=off".
class CpuModel {
  public:
    static std::optional<CpuModel> parse(std::string_view text);

    [[nodiscard]] const std::string& str() const { return model_; }

  private:
    explicit CpuModel(std::string_view model) : model_(model) {}
    std::string model_;
};

/// One of the two PC machines, "q35" or "pc", or a version of one: "pc-q35-7.2", "pc-i440fx-7.2".
class MachineType {
  public:
    static std::optional<MachineType> parse(std::string_view text);

    [[nodiscard]] const std::string& str() const { return type_; }
    /// Whether it has PCI Express and SATA. (The other has PCI and IDE.)
    [[nodiscard]] bool is_q35() const { return is_q35_; }

  private:
    MachineType(std::string_view type, bool is_q35) : type_(type), is_q35_(is_q35) {}
    std::string type_;
    bool is_q35_;
};

/// A disk's serial number as the guest sees it: 1 to 20 letters, digits, '.', '_' and '-'. ATA and
/// virtio have no room for more.
class DiskSerial {
  public:
    static std::optional<DiskSerial> parse(std::string_view text);

    [[nodiscard]] const std::string& str() const { return serial_; }

  private:
    explicit DiskSerial(std::string_view serial) : serial_(serial) {}
    std::string serial_;
};

/// A port of the host that leads to one of the guest's, as in QEMU's hostfwd:
/// "tcp:127.0.0.1:2222-:22". Host port 0 means any free port. Unlike with QEMU, no address means
/// 127.0.0.1 and not every address.
class HostForward {
  public:
    static std::optional<HostForward> parse(std::string_view text);

    /// In QEMU's syntax.
    [[nodiscard]] const std::string& str() const { return rule_; }

    /// Whether only one of the two can have what it takes on the host: the same port of the same
    /// address. (Port 0 is any free one.)
    [[nodiscard]] bool excludes(const HostForward& other) const;

  private:
    HostForward() = default;

    std::string rule_;
    std::string protocol_;
    std::string host_address_;
    unsigned host_port_ = 0;
};

/// A value and the word for it.
template <typename Value>
struct Choice {
    std::string_view name;
    Value value;
};
/// The word for `value` in `choices`, which must have one for every value.
template <typename Value, size_t n>
constexpr std::string_view word_for(Value value, const Choice<Value> (&choices)[n]) {
    size_t at = 0;
    while (at + 1 < n && choices[at].value != value)
        at++;
    return choices[at].name;
}

enum class ImageFormat { raw, qcow2, vmdk, vdi, vhdx, vpc };
inline constexpr Choice<ImageFormat> image_formats[] = {
    {"raw", ImageFormat::raw}, {"qcow2", ImageFormat::qcow2}, {"vmdk", ImageFormat::vmdk},
    {"vdi", ImageFormat::vdi}, {"vhdx", ImageFormat::vhdx},   {"vpc", ImageFormat::vpc},
};
/// The name of the format in QEMU and qemu-img.
std::string_view name_of(ImageFormat format);
/// Nothing when no format has this name.
std::optional<ImageFormat> image_format(std::string_view name);

enum class DiskBus { virtio, scsi, sata, ide };
inline constexpr Choice<DiskBus> disk_buses[] = {{"virtio", DiskBus::virtio},
                                                 {"scsi", DiskBus::scsi},
                                                 {"sata", DiskBus::sata},
                                                 {"ide", DiskBus::ide}};
enum class DiskCache { writeback, writethrough, none, directsync, unsafe };
inline constexpr Choice<DiskCache> disk_caches[] = {{"writeback", DiskCache::writeback},
                                                    {"writethrough", DiskCache::writethrough},
                                                    {"none", DiskCache::none},
                                                    {"directsync", DiskCache::directsync},
                                                    {"unsafe", DiskCache::unsafe}};
enum class NetModel { virtio, e1000, e1000e, rtl8139 };
inline constexpr Choice<NetModel> net_models[] = {{"virtio", NetModel::virtio},
                                                  {"e1000", NetModel::e1000},
                                                  {"e1000e", NetModel::e1000e},
                                                  {"rtl8139", NetModel::rtl8139}};
enum class Display { none, vnc };
enum class Accelerator { kvm, tcg };
enum class Firmware { bios, uefi, uefi_secure };
enum class Nested { as_the_host, on, off };
enum class ShareProtocol { plan9, virtiofs };
inline constexpr Choice<ShareProtocol> share_protocols[] = {{"9p", ShareProtocol::plan9},
                                                            {"virtiofs", ShareProtocol::virtiofs}};

enum class BootDevice { disk, cdrom, net };

/// What to boot from: all devices of a kind in order, or only one of them.
struct BootEntry {
    BootDevice device = BootDevice::disk;
    std::optional<unsigned> index = std::nullopt;  // from 0, as in the VM's file

    friend bool operator==(const BootEntry&, const BootEntry&) = default;
};

struct Disk {
    HostPath path;  // a file, or a block device
    ImageFormat format = ImageFormat::raw;
    bool format_is_said = false;  ///< by format=, not derived from the file's name
    DiskBus bus = DiskBus::virtio;
    DiskCache cache = DiskCache::writeback;
    bool read_only = false;
    bool discard = true;
    bool ssd = false;  ///< the guest is told that nothing rotates; not on virtio
    std::optional<DiskSerial> serial = std::nullopt;
    std::vector<HostPath> backing = {};  // the files that the image's chain may consist of
    bool any_backing = false;            // the chain may consist of any files
};

/// QEMU's own NAT.
struct UserNet {
    std::vector<HostForward> forwards = {};
};

/// A port of a bridge.
struct BridgeNet {
    InterfaceName bridge;
    unsigned queues = 1;
    std::optional<UserNet> fallback = std::nullopt;  // in case the bridge is not available
};

/// The slots of a pc's PCI bus that the chipset does not take.
constexpr unsigned first_free_slot = 2;
constexpr unsigned last_slot = 31;

/// The most network adapters that a VM can have.
constexpr size_t most_nets = 16;

struct Net {
    std::variant<BridgeNet, UserNet> link;
    NetModel model = NetModel::virtio;
    std::optional<MacAddress> mac = std::nullopt;  // nothing: stable_mac() in identity.h
    std::optional<unsigned> slot = std::nullopt;   // on the PCI bus of a pc; nothing: a free one
};

/// The adapter to use when its bridge is not available: on its fallback; nothing when it has none,
/// since QEMU's NAT never replaces a bridge unless the user says so.
std::optional<Net> fallen_back(const Net& net);

/// A VNC server for the VM's screen.
struct Vnc {
    enum class Reach {
        unix_socket,  // whoever can enter the VM's directory: its owner
        localhost,    // every user of this host
        everyone,     // whoever reaches any address of this host
    };
    Reach reach = Reach::unix_socket;
    std::optional<unsigned> display = std::nullopt;  // TCP port 5900 + N; nothing: a free one
    std::optional<HostPath> password_file = std::nullopt;
};

/// Runs the VM as a Slurm job, on whichever host Slurm finds room.
struct SlurmPlace {
    std::vector<std::string> options = {};  ///< sbatch's, without the dashes: "partition=vms"
};

/// A directory on the host that the guest can mount.
struct Share {
    HostPath path;
    std::string tag;  ///< the name by which the guest mounts it
    bool read_only = false;
    ShareProtocol via = ShareProtocol::plan9;
};

struct VmSpec {
    VmName name;
    MemorySize memory;
    CpuTopology cpus;
    // Nothing: with KVM the host's CPU, otherwise everything that TCG can do.
    std::optional<CpuModel> cpu = std::nullopt;
    Nested nested = Nested::as_the_host;
    MachineType machine;
    std::optional<Accelerator> accelerator = std::nullopt;  // nothing: the best that works here
    Firmware firmware = Firmware::bios;
    std::vector<Disk> disks = {};
    std::vector<HostPath> cdroms = {};
    std::vector<Net> nets = {};
    Display display = Display::none;
    Vnc vnc = {};
    std::vector<BootEntry> boot = {};
    std::optional<HostPath> kernel = std::nullopt;
    std::optional<HostPath> initrd = std::nullopt;
    std::optional<std::string> append = std::nullopt;
    bool snapshot = false;  // what the guest writes is discarded
    std::vector<Share> shares = {};
    bool seed = false;  // the last disk is the seed, which is rewritten at each start
    std::optional<SlurmPlace> slurm = std::nullopt;  // nothing: it runs on this host
    std::vector<std::string> extra_arguments = {};
};

}  // namespace tapgate
