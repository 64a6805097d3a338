// SPDX-License-Identifier: GPL-2.0-or-later
//
// The old command line beside the new one.

#include "launcher/foreign/translation/argv_diff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "launcher/base/error.h"
#include "launcher/foreign/domain/domain_xml.h"
#include "launcher/foreign/legacy/translate.h"
#include "launcher/foreign/shell/qemu_script.h"
#include "launcher/foreign/shell/script.h"
#include "launcher/qemu/argv.h"
#include "launcher/vm/description.h"
#include "launcher/vm/name.h"
#include "tests/unit/foreign/cases.h"

namespace tapgate {

namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> new_argv(const Translation& translation) {
    HostFacts facts;
    facts.qemu = "/usr/bin/qemu-system-x86_64";
    facts.owner = {"0123456789abcdef0123456789abcdef", 1000};
    facts.state_directory = "/s";
    facts.helper = "/usr/libexec/tapgate-helper";
    const VmSpec spec =
        describe_vm(VmName::parse("vm").value(), settings_of(translation, directory, {})).spec;
    if (spec.firmware == Firmware::uefi || spec.firmware == Firmware::uefi_secure)
        facts.uefi = UefiFiles{{"/CODE.fd"}, {"/VARS.fd"}, "/s/variables.qcow2", false};
    VmFds fds;
    for (const Net& net : spec.nets) {
        if (const auto* const bridged = std::get_if<BridgeNet>(&net.link))
            fds.push_back({std::vector<int>(bridged->queues, 3), {}});
    }
    return qemu_argv(spec, facts, fds);
}

Translation translated(const std::vector<std::string>& words) {
    ShellCommand command;
    command.words = words;
    return translate_qemu_command(command, directory);
}

// The new words that stand beside the option that begins with `was`.
std::vector<std::string> beside(const std::vector<DiffRow>& rows, const std::string& was) {
    for (const DiffRow& row : rows) {
        if (row.note.was.starts_with(was))
            return row.argv;
    }
    ADD_FAILURE() << "no row for " << was;
    return {};
}

TEST(ArgvDiff, EachOptionBesideWhatItHasBecome) {
    const Translation translation =
        translated({"kvm", "-m", "512", "-smp", "2", "-hda", "/a.qcow2", "-hdb", "/b.raw",
                    "-daemonize", "-net", "nic,model=e1000,macaddr=52:54:00:01:02:03", "-net",
                    "user", "-watchdog", "ib700"});
    const auto rows = argv_diff(translation, new_argv(translation));
    EXPECT_THAT(beside(rows, "kvm"), ElementsAre("/usr/bin/qemu-system-x86_64"));
    EXPECT_THAT(beside(rows, "-m"), ElementsAre("-m", "size=512M"));
    EXPECT_THAT(beside(rows, "-smp"), ElementsAre("-smp", "cpus=2,sockets=1,cores=2,threads=1"));
    EXPECT_THAT(beside(rows, "-hda"),
                ElementsAre("-blockdev", HasSubstr("/a.qcow2"), "-blockdev", HasSubstr("disk0"),
                            "-device", HasSubstr("\"disk0\"")));
    EXPECT_THAT(beside(rows, "-hdb"),
                ElementsAre("-blockdev", HasSubstr("/b.raw"), "-blockdev", HasSubstr("disk1"),
                            "-device", HasSubstr("\"disk1\"")));
    EXPECT_THAT(beside(rows, "-net"), ElementsAre("-netdev", HasSubstr("user"), "-device",
                                                  HasSubstr("52:54:00:01:02:03")));
    EXPECT_THAT(beside(rows, "-watchdog"), ElementsAre("-device", "ib700"));
    EXPECT_THAT(beside(rows, "-daemonize"), IsEmpty());
    const auto sandbox = std::find_if(rows.begin(), rows.end(), [](const DiffRow& row) {
        return !row.argv.empty() && row.argv[0] == "-sandbox";
    });
    ASSERT_NE(sandbox, rows.end());
    EXPECT_EQ(sandbox->note.kind, TranslationNote::Kind::added);
    EXPECT_FALSE(sandbox->note.why.empty());
}

// A controller and a port are beside the disk that they are there for.
TEST(ArgvDiff, ControllersBelongToWhatIsOnThem) {
    const Translation translation =
        translated({"qemu-system-x86_64", "-M", "q35", "-drive", "file=/a.raw,if=scsi,format=raw"});
    const auto argv = beside(argv_diff(translation, new_argv(translation)), "-drive");
    EXPECT_THAT(argv, testing::Contains(HasSubstr("virtio-scsi-pci")));
    EXPECT_THAT(argv, testing::Contains(HasSubstr("pcie-root-port")));
}

// Two options that are kept as the same words are two.
TEST(ArgvDiff, KeptTwice) {
    const Translation translation =
        translated({"qemu-system-x86_64", "-device", "pvpanic", "-device", "pvpanic"});
    size_t found = 0;
    for (const DiffRow& row : argv_diff(translation, new_argv(translation)))
        found += row.note.kind == TranslationNote::Kind::kept && row.argv.size() == 2 ? 1U : 0U;
    EXPECT_EQ(found, 2U);
}

void expect_whole(const Translation& translation) {
    std::vector<std::string> argv = new_argv(translation);
    const std::vector<DiffRow> rows = argv_diff(translation, argv);
    std::vector<std::string> named;
    for (const DiffRow& row : rows) {
        named.insert(named.end(), row.argv.begin(), row.argv.end());
        if (row.note.kind == TranslationNote::Kind::added) {
            EXPECT_FALSE(row.note.why.empty()) << (row.argv.empty() ? "" : row.argv[0]);
        }
        if (row.note.kind == TranslationNote::Kind::kept) {
            EXPECT_FALSE(row.argv.empty()) << row.note.was;
        }
        EXPECT_THAT(row.note.why, testing::Not(HasSubstr("tapgate's own")))
            << "a reason is missing for " << (row.argv.empty() ? "" : row.argv[0]);
    }
    std::sort(argv.begin(), argv.end());
    std::sort(named.begin(), named.end());
    EXPECT_EQ(named, argv);
    std::istringstream lines(side_by_side(rows));
    for (std::string line; std::getline(lines, line);)
        EXPECT_LE(static_cast<size_t>(std::count_if(line.begin(), line.end(),
                                                    [](char c) { return (c & 0xc0) != 0x80; })),
                  80U)
            << line;
}

// Each word of the new command line is there once, and no line is too long.
TEST(ArgvDiff, NothingIsMissing) {
    size_t compared = 0;
    for (const Case& one : read_cases("cases.txt")) {
        SCOPED_TRACE(one.name);
        Translation translation;
        try {
            translation = translate_qemu_command(
                find_qemu_command(read_shell_script(one.text, Surroundings()), "FILE"), directory);
            new_argv(translation);
        } catch (const LauncherError&) {
            continue;  // Translate.Expected has the reason
        }
        expect_whole(translation);
        compared++;
    }
    EXPECT_GE(compared, 75U);
}

TEST(ArgvDiff, SideBySide) {
    const Translation translation =
        translated({"kvm", "-m", "512", "-hda", "/" + std::string(90, 'x') + ".qcow2",
                    "-enable-kwm", "-uuid", "6e8b9a4e-0c1d-4b7a-9f3b-2d1c5e6f7a8b"});
    const std::string text = side_by_side(argv_diff(translation, new_argv(translation)));
    EXPECT_THAT(text, HasSubstr("-m 512                                 | -m size=512M\n"
                                "                                         # memory = 512M\n"));
    EXPECT_THAT(text, HasSubstr("-enable-kwm                            < # "));
    EXPECT_THAT(text, HasSubstr("                                         # machine = pc\n"));
    // What stays as it is.
    EXPECT_THAT(text, HasSubstr("-uuid 6e8b9a4e-0c1d-4b7a-9f3b-2d1c5e6f   "
                                "-uuid 6e8b9a4e-0c1d-4b7a-9f3b-2d1c5e6f\n"));
}

}  // namespace

}  // namespace tapgate
