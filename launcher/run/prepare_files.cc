// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/run/prepare_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "common/unique_fd.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/text.h"
#include "launcher/image/base_image.h"
#include "launcher/image/disk_image.h"
#include "launcher/image/lock.h"
#include "launcher/image/ram_remains.h"
#include "launcher/image/seed.h"
#include "launcher/qemu/firmware.h"

namespace tapgate {

namespace {

// With more virtio disks, a machine runs out of interrupts and slots.
constexpr auto most_virtio_disks = 6;

// By RFC 6143, 7.2.2, the password is the key of a DES.
constexpr size_t longest_vnc_password = 8;

void check_vnc_password(const std::string& path) {
    const auto password = read_file(path);
    if (!password)
        throw LauncherError(shown(path) +
                            ": there is no such file; it should hold the VNC password");
    struct stat status {};
    if (stat(path.c_str(), &status) != 0)
        fail_with_errno(shown(path));
    if (status.st_uid != geteuid() || (status.st_mode & 077) != 0)
        throw LauncherError(shown(path) +
                            ": others can read or replace the VNC password; it should be your own "
                            "file, of mode 0600");
    if (password->empty() || password->find('\n') != std::string::npos)
        throw LauncherError(shown(path) +
                            ": QEMU takes all of it as the VNC password, the line break too; write "
                            "it with printf, without one");
    if (password->size() > longest_vnc_password)
        throw LauncherError(shown(path) + ": a VNC password has " +
                            std::to_string(longest_vnc_password) + " bytes at most");
}

void check_nested(const VmSpec& spec, const HostFacts& host, std::vector<std::string>& notes) {
    if (spec.nested != Nested::on)
        return;
    if (spec.accelerator.value_or(host.accelerator) == Accelerator::tcg) {
        notes.emplace_back("nested=on means nothing without KVM");
        return;
    }
    if (host.nested_feature.empty())
        throw LauncherError("nested=on: this host's KVM has neither kvm_intel nor kvm_amd loaded");
    const std::string module = host.nested_feature == "vmx" ? "kvm_intel" : "kvm_amd";
    if (!host.nested_enabled)
        throw LauncherError(
            "nested=on: the host's " + module +
            " has it disabled; the administrator enables it, while no VM runs, with: modprobe -r " +
            module + " && modprobe " + module + " nested=1 (and for good: echo options " + module +
            " nested=1 > /etc/modprobe.d/" + module + ".conf)");
}

// QEMU's own error would name a lock, but not who holds it.
void refuse_used_disks(const VmSpec& spec) {
    std::vector<struct stat> seen;
    for (const Disk& disk : spec.disks) {
        const bool writes = !disk.read_only && !spec.snapshot;
        refuse_conflicting_use(disk.path.str(), writes ? ImageUse::writing : ImageUse::reading);
        struct stat& status = seen.emplace_back();
        if (stat(disk.path.str().c_str(), &status) != 0)
            continue;
        for (size_t i = 0; i + 1 < seen.size(); i++) {
            if (seen[i].st_dev == status.st_dev && seen[i].st_ino == status.st_ino &&
                (writes || (!spec.disks[i].read_only && !spec.snapshot)))
                throw LauncherError(shown(disk.path.str()) + " is disk " + std::to_string(i) +
                                    " of " + spec.name.str() + " and disk " +
                                    std::to_string(seen.size() - 1) +
                                    ", too; what is written to one would destroy the other: take "
                                    "one of them away, or say readonly=on of both");
        }
    }
}

void check_share(const Share& share) {
    const std::string& path = share.path.str();
    struct stat status {};
    if (stat(path.c_str(), &status) != 0)
        throw LauncherError(
            "share: " + shown(path) + ": " + errno_text(errno) +
            (errno == ENOENT ? "; make it with: mkdir -p " + shell_word(path) : ""));
    if (!S_ISDIR(status.st_mode))
        throw LauncherError("share: " + shown(path) + " is no directory");
    if (access(path.c_str(), R_OK | X_OK) != 0)
        throw LauncherError("share: you may not read " + shown(path) + "; see: ls -ld " +
                            shell_word(path));
    if (!share.read_only && access(path.c_str(), W_OK) != 0)
        throw LauncherError("share: you may not write to " + shown(path) +
                            "; readonly=on would do without");
}

}  // namespace

void check_shares(const VmSpec& spec) {
    for (const Share& share : spec.shares)
        check_share(share);
}

std::vector<std::string> check_drives(const VmSpec& spec) {
    // First, since a base has no write permission, which would otherwise be reported.
    refuse_written_base(spec);
    check_bases(spec);
    std::vector<std::string> notes = check_images(spec);
    refuse_used_disks(spec);
    return notes;
}

std::vector<std::string> prepare_files(const VmSpec& spec, const HostFacts& host) {
    if (spec.seed)
        refresh_seed(spec.name);
    std::vector<std::string> notes = check_drives(spec);
    if (std::string grown = grown_disk(spec); !grown.empty())
        notes.push_back(std::move(grown));
    check_shares(spec);
    for (const Share& share : spec.shares) {
        notes.push_back(std::string("in the guest, as root: mount -t ") +
                        (share.via == ShareProtocol::virtiofs
                             ? "virtiofs "
                             : "9p -o trans=virtio,version=9p2000.L ") +
                        share.tag + " /mnt");
    }
    check_nested(spec, host, notes);
    if (spec.display == Display::vnc && spec.vnc.password_file)
        check_vnc_password(spec.vnc.password_file->str());
    const auto virtio_disks =
        std::count_if(spec.disks.begin(), spec.disks.end(),
                      [](const Disk& disk) { return disk.bus == DiskBus::virtio; });
    if (virtio_disks > most_virtio_disks)
        notes.push_back(std::to_string(virtio_disks) +
                        " virtio disks: with bus=scsi all of them share one controller");
    if (host.uefi)
        make_uefi_variables(*host.uefi);
    return notes;
}

}  // namespace tapgate
