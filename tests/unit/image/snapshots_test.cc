// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/image/snapshots.h"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "launcher/base/program.h"
#include "launcher/base/stop_signals.h"
#include "launcher/vm/file.h"
#include "tests/unit/testing.h"

namespace tapgate {
namespace {

constexpr std::chrono::seconds limit{60};

TEST(Snapshots, ASignalBeforeTheFirstIsDeletedKeepsThemAll) {
    const TemporaryDirectory directory;
    const VmName lab = VmName::parse("lab").value();
    for (const char* variable : {"XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"})
        setenv(variable, directory.path().c_str(), 1);
    std::filesystem::create_directory(directory.file("tapgate"));
    std::filesystem::permissions(directory.file("tapgate"), std::filesystem::perms::owner_all);
    std::ofstream file(vm_file_path(lab));
    for (const char* name : {"a.qcow2", "b.qcow2"}) {
        run_program({"qemu-img", "create", "-q", "-f", "qcow2", directory.file(name), "1M"});
        file << "disk = " << directory.file(name) << "\n";
    }
    file.close();
    save_snapshot(lab, "clean", limit);
    {
        const HeldSignals signals;
        raise(SIGTERM);
        EXPECT_NE(error_of([&] { delete_snapshot(lab, "clean", limit); }), "none");
        EXPECT_EQ(signals.take(), "");
    }
    ASSERT_EQ(snapshots_of(lab).size(), 1U);
    EXPECT_TRUE(snapshots_of(lab)[0].on_all_disks);
    delete_snapshot(lab, "clean", limit);
    EXPECT_TRUE(snapshots_of(lab).empty());
    for (const char* variable : {"XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"})
        unsetenv(variable);
}

}  // namespace
}  // namespace tapgate
