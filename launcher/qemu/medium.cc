// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/qemu/medium.h"

#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "launcher/base/error.h"
#include "launcher/base/text.h"
#include "launcher/qemu/control.h"

namespace tapgate {

namespace {

// Its id, as qemu/argv_drives.cc gives it.
constexpr const char* drive = "cdrom0";

struct DriveState {
    bool there = false;
    bool has_medium = false;
    bool locked = false;
};

DriveState drive_state(const VmName& name) {
    DriveState state;
    for (const auto& device : qmp_command(name, "query-block")) {
        const std::string qdev = device.value("qdev", "");
        if (qdev != drive && !qdev.ends_with(std::string("/") + drive))
            continue;
        state.there = true;
        state.has_medium = device.contains("inserted");
        state.locked = device.value("locked", false);
    }
    return state;
}

DriveState required_drive(const VmName& name, bool force) {
    const DriveState state = drive_state(name);
    if (!state.there)
        throw LauncherError(name.str() +
                            " was started without a CD-ROM drive; give it one with: "
                            "tapgate set " +
                            name.str() + " cdrom=FILE.iso, then tapgate restart " + name.str());
    if (state.has_medium && state.locked && !force)
        throw LauncherError(
            "the guest of " + name.str() +
            " keeps the CD; unmount it there, or take it all the same with --force");
    return state;
}

}  // namespace

void take_medium(const VmName& name, bool force) {
    if (!required_drive(name, force).has_medium)
        throw LauncherError("there is no CD in the drive of " + name.str() +
                            "; one is put in with: tapgate eject " + name.str() + " FILE.iso");
    qmp_command(name, "eject", {{"id", drive}, {"force", force}});
}

void insert_medium(const VmName& name, const std::string& path, bool force) {
    required_drive(name, force);
    struct stat status {};
    if (access(path.c_str(), R_OK) != 0 || stat(path.c_str(), &status) != 0)
        fail_with_errno(shown(path));
    // With a FIFO, QEMU and its guest would wait for a writer.
    if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode))
        throw LauncherError(shown(path) + ": neither a file nor a block device");
    // The format is never guessed from the content, which whoever made the image has chosen.
    nlohmann::json arguments = {
        {"id", drive}, {"filename", path}, {"format", "raw"}, {"read-only-mode", "read-only"}};
    // QEMU before 7.1 does not know this argument.
    if (force)
        arguments["force"] = true;
    qmp_command(name, "blockdev-change-medium", arguments);
}

}  // namespace tapgate
