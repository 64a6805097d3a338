// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/qemu/argv.h"

#include <algorithm>
#include <stdexcept>
#include <string_view>

#include "launcher/base/error.h"
#include "launcher/base/text.h"
#include "launcher/base/unix_socket.h"
#include "launcher/qemu/argv_drives.h"
#include "launcher/qemu/argv_nets.h"
#include "launcher/qemu/argv_writer.h"
#include "launcher/vm/state.h"

namespace tapgate {

namespace {

using Json = ArgvJson;

std::vector<std::string> words_of(const std::vector<int>& fds) {
    std::vector<std::string> words;
    for (const int fd : fds)
        words.push_back(std::to_string(fd));
    return words;
}

class Builder {
  public:
    Builder(const VmSpec& spec, const HostFacts& host, const std::optional<VmFds>& fds)
        : spec_(spec), host_(host), fds_(fds), argv_(host.qemu, spec) {}

    std::vector<std::string> build() {
        add_identity();
        add_machine();
        add_firmware();
        add_kernel();
        // First, before another device gets one of these slots as the next that is free.
        add_nets(true);
        add_serial_devices();
        add_drives(argv_, spec_, host_.devices);
        add_nets(false);
        add_shares();
        add_display();
        argv_.add_device({{"driver", "virtio-rng-pci"}, {"id", "rng0"}});
        argv_.add_device({{"driver", "virtio-balloon-pci"},
                          {"id", "balloon0"},
                          {"free-page-reporting", true},
                          {"deflate-on-oom", true}});
        argv_.add_spare_ports();
        add_process();
        for (const std::string& argument : spec_.extra_arguments)
            argv_.add(argument);
        return argv_.take();
    }

  private:
    [[nodiscard]] std::string state_file(std::string_view name) const {
        return host_.state_directory + "/" + std::string(name);
    }
    [[nodiscard]] std::string socket(std::string_view name) const {
        std::string path = state_file(name);
        if (path.size() > longest_socket_path)
            throw LauncherError(
                "the socket's path is longer than " + std::to_string(longest_socket_path) +
                " bytes: " + shown(path) +
                "; set XDG_RUNTIME_DIR to a directory of yours with a shorter name");
        return path;
    }

    void add_identity() {
        argv_.add("-name", "guest=" + spec_.name.str() + ",debug-threads=on");
        argv_.add("-uuid", stable_uuid(host_.owner, spec_.name));
        argv_.add("-no-user-config");
        argv_.add("-nodefaults");
    }

    void add_machine() {
        const bool kvm = spec_.accelerator.value_or(host_.accelerator) == Accelerator::kvm;
        const CpuTopology& cpus = spec_.cpus;
        std::string machine =
            spec_.machine.str() + ",vmport=off,usb=off,dump-guest-core=off,hpet=off";
        if (host_.uefi)
            machine += std::string(host_.uefi->needs_smm ? ",smm=on" : "") +
                       ",pflash0=uefi-code,pflash1=uefi-variables";
        const bool shared_memory =
            std::any_of(spec_.shares.begin(), spec_.shares.end(),
                        [](const Share& share) { return share.via == ShareProtocol::virtiofs; });
        if (shared_memory)
            machine += ",memory-backend=ram";
        argv_.add("-machine", machine);
        argv_.add("-accel",
                  kvm ? "kvm"
                      : "tcg" + (host_.translated_code
                                     ? ",tb-size=" + std::to_string(*host_.translated_code)
                                     : ""));
        std::string cpu = spec_.cpu ? spec_.cpu->str() : kvm ? "host" : "max";
        // TCG has its own virtualization, which is left alone.
        if (kvm && spec_.nested != Nested::as_the_host && !host_.nested_feature.empty())
            cpu += (spec_.nested == Nested::on ? ",+" : ",-") + host_.nested_feature;
        argv_.add("-cpu", cpu);
        argv_.add("-smp", "cpus=" + std::to_string(cpus.cpus()) +
                              ",sockets=" + std::to_string(cpus.sockets()) +
                              ",cores=" + std::to_string(cpus.cores()) +
                              ",threads=" + std::to_string(cpus.threads()));
        argv_.add("-m", "size=" + std::to_string(spec_.memory.mebibytes()) + "M");
        // virtiofsd reads and writes there for the guest.
        if (shared_memory)
            argv_.add_json("-object", Json{{"qom-type", "memory-backend-memfd"},
                                           {"id", "ram"},
                                           {"size", spec_.memory.mebibytes() << 20U},
                                           {"share", true}});
        argv_.add("-rtc", "base=utc,driftfix=slew");
        argv_.add("-global", "kvm-pit.lost_tick_policy=delay");
        // Nobody could wake a suspended guest.
        const std::string chipset = spec_.machine.is_q35() ? "ICH9-LPC" : "PIIX4_PM";
        argv_.add("-global", chipset + ".disable_s3=1");
        argv_.add("-global", chipset + ".disable_s4=1");
        argv_.add("-boot", "strict=on,menu=off");
    }

    void add_firmware() {
        if (!host_.uefi)
            return;
        add_flash("uefi-code", host_.uefi->code, true);
        add_flash("uefi-variables", {host_.uefi->variables, ImageFormat::qcow2}, false);
        // Only SMM keeps a guest's kernel from changing what Secure Boot trusts.
        if (host_.uefi->needs_smm)
            argv_.add("-global", "driver=cfi.pflash01,property=secure,value=on");
    }

    void add_flash(const std::string& node, const FirmwareFile& file, bool read_only) {
        argv_.add_json("-blockdev", Json{{"driver", "file"},
                                         {"node-name", node + "-file"},
                                         {"filename", file.path},
                                         {"read-only", read_only}});
        argv_.add_json("-blockdev", Json{{"driver", name_of(file.format)},
                                         {"node-name", node},
                                         {"file", node + "-file"},
                                         {"read-only", read_only}});
    }

    void add_kernel() {
        if (spec_.kernel)
            argv_.add("-kernel", spec_.kernel->str());
        if (spec_.initrd)
            argv_.add("-initrd", spec_.initrd->str());
        if (spec_.append)
            argv_.add("-append", *spec_.append);
    }

    // The serial console, QMP and the guest agent's channel.
    void add_serial_devices() {
        argv_.add("-chardev",
                  "socket,id=console,path=" + commas_doubled(socket(vm_files::console)) +
                      ",server=on,wait=off,logfile=" + commas_doubled(state_file("console.log")) +
                      ",logappend=on");
        argv_.add_json("-device", Json{{"driver", "isa-serial"}, {"chardev", "console"}});
        argv_.add("-chardev", "socket,id=qmp,path=" + commas_doubled(socket(vm_files::qmp)) +
                                  ",server=on,wait=off");
        argv_.add("-qmp", "chardev:qmp");
        // A second QMP: a follower keeps the connection, and QMP talks with one client at a time.
        argv_.add("-chardev", "socket,id=events,path=" + commas_doubled(socket(vm_files::events)) +
                                  ",server=on,wait=off");
        argv_.add("-qmp", "chardev:events");
        argv_.add_device({{"driver", "virtio-serial-pci"}, {"id", "serial0"}});
        argv_.add("-chardev", "socket,id=agent,path=" + commas_doubled(socket(vm_files::agent)) +
                                  ",server=on,wait=off");
        argv_.add_json("-device", Json{{"driver", "virtserialport"},
                                       {"bus", "serial0.0"},
                                       {"chardev", "agent"},
                                       {"name", "org.qemu.guest_agent.0"}});
    }

    // With 9p the server is in QEMU, so its sandbox holds. What the guest writes is owned by the
    // user and has the modes that the guest sets (security_model=none, which needs no privilege).
    // With virtiofs the server is a virtiofsd beside QEMU (run/share_servers.h), which QEMU only
    // connects.
    void add_shares() {
        for (size_t i = 0; i < spec_.shares.size(); i++) {
            const Share& share = spec_.shares[i];
            const std::string id = "share" + std::to_string(i);
            if (share.via == ShareProtocol::virtiofs) {
                argv_.add("-chardev",
                          "socket,id=" + id + ",path=" + commas_doubled(socket(share_socket(i))));
                argv_.add_device(
                    {{"driver", "vhost-user-fs-pci"}, {"chardev", id}, {"tag", share.tag}});
                continue;
            }
            argv_.add("-fsdev", "local,id=" + id + ",security_model=none,multidevs=remap,path=" +
                                    commas_doubled(share.path.str()) +
                                    (share.read_only ? ",readonly=on" : ""));
            argv_.add_device(
                {{"driver", "virtio-9p-pci"}, {"fsdev", id}, {"mount_tag", share.tag}});
        }
    }

    // Those that say their slots, or the others.
    void add_nets(bool in_slots) {
        size_t bridged_so_far = 0;
        for (size_t i = 0; i < spec_.nets.size(); i++) {
            const Net& net = spec_.nets[i];
            if (net.slot.has_value() != in_slots) {
                bridged_so_far += std::holds_alternative<BridgeNet>(net.link) ? 1 : 0;
                continue;
            }
            const std::string id = "net" + std::to_string(i);
            const MacAddress mac =
                net.mac.value_or(stable_mac(host_.owner, spec_.name, static_cast<unsigned>(i)));
            const auto* const bridged = std::get_if<BridgeNet>(&net.link);
            const auto mtu = bridged == nullptr ? host_.bridge_mtus.end()
                                                : host_.bridge_mtus.find(bridged->bridge.str());
            Json device = net_device(
                net, "nic" + std::to_string(i), id, mac,
                mtu == host_.bridge_mtus.end() ? std::nullopt : std::optional(mtu->second));
            if (bridged == nullptr)
                argv_.add_json("-netdev", user_netdev(id, std::get<UserNet>(net.link)));
            else
                add_bridge_netdev(id, *bridged, bridged_so_far++);
            argv_.set_boot_index(device, BootDevice::net, i);
            argv_.add_device(device);
        }
    }

    void add_bridge_netdev(const std::string& id, const BridgeNet& net, size_t index) {
        if (!fds_) {
            if (net.queues > 1)
                throw LauncherError("queues=" + std::to_string(net.queues) +
                                    ": QEMU asks the helper for one queue only");
            argv_.add_json("-netdev", Json{{"type", "bridge"},
                                           {"id", id},
                                           {"br", net.bridge.str()},
                                           {"helper", host_.helper}});
            sandboxed_ = false;
            return;
        }
        const NetFds& fds = fds_->at(index);
        if (fds.taps.size() != net.queues ||
            (!fds.vhosts.empty() && fds.vhosts.size() != net.queues))
            throw std::logic_error("descriptors and queues of " + id + " differ in number");
        argv_.add_json("-netdev", tap_netdev(id, {words_of(fds.taps), words_of(fds.vhosts)}));
    }

    void add_display() {
        if (spec_.display == Display::none) {
            argv_.add("-display", "none");
            return;
        }
        std::string vnc;
        switch (spec_.vnc.reach) {
            case Vnc::Reach::unix_socket:
                vnc = "unix:" + commas_doubled(socket(vm_files::vnc));
                break;
            case Vnc::Reach::localhost:
                vnc = "127.0.0.1:";
                break;
            case Vnc::Reach::everyone:
                vnc = ":";
                break;
        }
        if (spec_.vnc.reach != Vnc::Reach::unix_socket)
            // QEMU takes the first free port up to `to`; query-vnc says which.
            vnc += spec_.vnc.display ? std::to_string(*spec_.vnc.display) : "0,to=99";
        if (spec_.vnc.password_file) {
            argv_.add_json("-object", Json{{"qom-type", "secret"},
                                           {"id", "vnc-password"},
                                           {"file", spec_.vnc.password_file->str()}});
            vnc += ",password-secret=vnc-password";
        }
        argv_.add("-vnc", vnc);
        // It is not a PCI Express device, so it goes onto the root bus itself.
        Json screen = {{"driver", "VGA"}, {"id", "vga0"}};
        if (spec_.machine.is_q35()) {
            screen["bus"] = "pcie.0";
            screen["addr"] = "0x1";
        }
        argv_.add_json("-device", screen);
        argv_.add_device({{"driver", "qemu-xhci"}, {"id", "usb0"}});
        // A tablet has absolute coordinates: the pointer is where the viewer's is.
        argv_.add_json("-device", Json{{"driver", "usb-tablet"}, {"bus", "usb0.0"}});
    }

    void add_process() {
        if (sandboxed_)
            argv_.add("-sandbox",
                      "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
        argv_.add("-msg", "timestamp=on");
        argv_.add("-pidfile", state_file(vm_files::pid));
    }

    const VmSpec& spec_;
    const HostFacts& host_;
    const std::optional<VmFds>& fds_;
    ArgvWriter argv_;
    bool sandboxed_ = true;
};

}  // namespace

std::vector<std::string> qemu_argv(const VmSpec& spec, const HostFacts& host,
                                   const std::optional<VmFds>& fds) {
    return Builder(spec, host, fds).build();
}

}  // namespace tapgate
