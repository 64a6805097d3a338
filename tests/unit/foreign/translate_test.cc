// SPDX-License-Identifier: GPL-2.0-or-later
//
// Old command lines and what becomes of them: translate/cases.txt has the lines, and
// translate/expected.txt the VM files, which TAPGATE_UPDATE_EXPECTED=1 writes anew.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <pugixml.hpp>
#include <sstream>

#include "launcher/base/error.h"
#include "launcher/foreign/appliance/ovf.h"
#include "launcher/foreign/domain/domain_xml.h"
#include "launcher/foreign/legacy/config_file.h"
#include "launcher/foreign/legacy/options.h"
#include "launcher/foreign/legacy/translate.h"
#include "launcher/foreign/shell/qemu_script.h"
#include "launcher/foreign/shell/qemu_words.h"
#include "launcher/foreign/shell/script.h"
#include "launcher/foreign/translation/properties.h"
#include "launcher/foreign/translation/qemu_options.h"
#include "launcher/foreign/translation/translation.h"
#include "launcher/vm/description.h"
#include "launcher/vm/file_text.h"
#include "launcher/vm/name.h"
#include "launcher/vm/setting.h"
#include "tests/unit/foreign/cases.h"
#include "tests/unit/testing.h"

namespace tapgate {

namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class NoEnvironment : public Surroundings {
  public:
    [[nodiscard]] std::optional<std::string> variable(const std::string& name) const override {
        return name == "HOME" ? std::optional("/home/u") : std::nullopt;
    }
    [[nodiscard]] std::optional<std::string> home_of(const std::string& user) const override {
        return user == "lab" ? std::optional("/home/lab") : std::nullopt;
    }
    [[nodiscard]] std::optional<std::string> script() const override { return "/scripts/lab.sh"; }
    [[nodiscard]] std::optional<unsigned> processors() const override { return 6; }
    [[nodiscard]] std::optional<bool> exists(const std::string& path) const override {
        return path.starts_with("/data/") ? std::optional(path.find("none") == std::string::npos)
                                          : std::nullopt;
    }
};
const NoEnvironment no_environment;

std::vector<ShellCommand> script(std::string_view text) {
    return read_shell_script(text, no_environment);
}

// Why the text is not translated; "none" if it is.
std::string refusal_of(const std::string& text) {
    return error_of<LauncherError>(
        [&] { translate_qemu_command(find_qemu_start(text, no_environment, "FILE"), "/"); });
}

TEST(Translate, OfAnotherProgramsDescriptionTellsTheWayOut) {
    const auto error_of = [](const std::string& file, std::string_view text) {
        try {
            translate_qemu_command(find_qemu_start(text, no_environment, file), "/");
        } catch (const LauncherError& error) {
            return std::string(error.what());
        }
        return std::string("none");
    };
    EXPECT_THAT(error_of("lab.vmx", "memsize = \"512\"\nscsi0:0.fileName = \"lab.vmdk\"\n"),
                HasSubstr("import the .vmdk"));
    EXPECT_THAT(error_of("lab.vmtx", "memsize = \"512\"\n"), HasSubstr("import the .vmdk"));
    EXPECT_THAT(error_of("lab.conf", "guest_os=\"linux\"\ndisk_img=\"lab/disk.qcow2\"\n"),
                HasSubstr("the script NAME.sh"));
    EXPECT_THAT(error_of("/usr/bin/quickemu", "qemu-system-x86_64 --version\n"),
                HasSubstr("the script NAME.sh"));
    // Of Windows: the lines of a batch file, and a QEMU that opens no console.
    EXPECT_THAT(
        error_of("run.bat", "REM lab\r\nqemu-system-x86_64 ^\r\n -m 512 ^\r\n -hda c.img\r\n"),
        HasSubstr("line 2 ends with ^: it is a command line for Windows"));
    EXPECT_THAT(error_of("run.bat", "start qemu-system-i386w -m 512 -hda c.img\r\n"),
                HasSubstr("it is a command line for Windows"));
    // What would be something else to a shell.
    EXPECT_THAT(error_of("Makefile", "run: a.img\n\tkvm -hda $< -m $(MEM)\n"),
                HasSubstr("make -n TARGET"));
    EXPECT_THAT(error_of("os.mk", "run:\n\tkvm -m 512 ${DISKS}\n"), HasSubstr("make -n TARGET"));
    EXPECT_THAT(error_of("Makefile", "run:\n\tkvm -hda a.img\nclean:\n\t-rm -f *.o\n"),
                HasSubstr("make -n TARGET"));
    EXPECT_EQ(error_of("Makefile", "run:\n\tkvm -m 512 -hda a.img\n"), "none");
    EXPECT_THAT(error_of("vm", "#!/usr/bin/env -S zsh -e\na=(-m 512)\nkvm $a\n"),
                HasSubstr("a script for zsh, not for sh or bash"));
    EXPECT_THAT(error_of("vm.py", "#! /usr/bin/python3\nos.system('kvm -m 512')\n"),
                HasSubstr("a script for python3"));
    EXPECT_THAT(error_of("vm.fish", "#!/usr/bin/env fish\nset m 512\nkvm -m $m -hda a.raw\n"),
                HasSubstr("a script for fish"));
    EXPECT_THAT(error_of("vm", "VM=lab\nsudo virt-install --name \"$VM\" --memory 2048 --import\n"),
                HasSubstr("`virsh dumpxml VM >vm.xml'"));
    EXPECT_THAT(error_of("vm", "sudo bhyve -c 2 -m 1G -s 3,virtio-blk,/dev/zvol/lab lab\n"),
                HasSubstr("`bhyve' is not QEMU: make a VM of its disk with `tapgate create NAME"));
    EXPECT_THAT(error_of("vm", "VBoxManage startvm lab\n"), HasSubstr("export the VM as an OVA"));
    EXPECT_THAT(error_of("vm", "qm start 100\n"), HasSubstr("`qm showcmd NUMBER'"));
    EXPECT_THAT(error_of("lab.cfg", "name = \"lab\"\nbuilder = \"hvm\"\nvif = ['bridge=br0']\n"),
                HasSubstr("domxml-from-native xen-xl FILE"));
    EXPECT_EQ(error_of("vm", "#!/sbin/openrc-run\nkvm -m 512\n"), "none");
    EXPECT_EQ(error_of("vm", "kvm -m 512 # in zsh\n"), "none");
}

// --- shell scripts

TEST(Script, Words) {
    EXPECT_THAT(script("a 'b c' \"d e\" f\\ g h'i'\"j\"k ''").at(0).words,
                ElementsAre("a", "b c", "d e", "f g", "hijk", ""));
    EXPECT_THAT(script("a \\\n  b \\\r\n c # d\ne").at(0).words, ElementsAre("a", "b", "c"));
    EXPECT_THAT(script("a 'x#y' x#y \"\\\"\\$\\q\"").at(0).words,
                ElementsAre("a", "x#y", "x#y", "\"$\\q"));
}

TEST(Script, Commands) {
    const auto commands =
        script("one 1\n\n# no\nA=1 B='x y' two >/dev/null 2>&1 &\nthree; four && five");
    ASSERT_EQ(commands.size(), 5U);
    EXPECT_THAT(commands[1].words, ElementsAre("two"));
    EXPECT_EQ(commands[1].line, 4U);
    EXPECT_TRUE(commands[1].background);
    EXPECT_THAT(commands[1].environment, ElementsAre(std::pair("A", "1"), std::pair("B", "x y")));
    EXPECT_THAT(commands[1].redirections, ElementsAre(">/dev/null", "2>&1"));
    EXPECT_THAT(commands[4].words, ElementsAre("five"));
    EXPECT_FALSE(commands[4].background);
}

TEST(Script, Variables) {
    const auto words = [](const std::string& text) { return script(text).at(0).words; };
    EXPECT_THAT(words("A='x y'\nc $A \"$A\" ${A}z '$A' \\$A"),
                ElementsAre("c", "x", "y", "x y", "x", "yz", "$A", "$A"));
    EXPECT_THAT(words("export A=x\nc $A ${B:-d} ~/i $HOME"),
                ElementsAre("c", "x", "d", "/home/u/i", "/home/u"));
    EXPECT_EQ(script("cd /a b\ncd /vm\nc").back().directory, "/vm");
}

TEST(Script, WhatOnlyAShellKnows) {
    const auto problem = [](const std::string& text) { return script(text).back().problem.what; };
    EXPECT_THAT(problem("c $X"), HasSubstr("the variable X, which is not set"));
    EXPECT_THAT(problem("c $(d"), HasSubstr("output of a command"));
    EXPECT_THAT(problem("c `d"), HasSubstr("a backquote that is not closed"));
    EXPECT_THAT(problem("if a; then X=2; fi\nc $X"), HasSubstr("set under a condition"));
    EXPECT_THAT(problem("[ -e a ] && X=2\nc $X"), HasSubstr("set under a condition"));
    EXPECT_THAT(problem("c {$A,b}"), HasSubstr("in braces"));
    EXPECT_THAT(problem("c ~nobody/x"), HasSubstr("`~nobody'"));
    EXPECT_THAT(problem("a | xargs c"), HasSubstr("`xargs'"));
    EXPECT_THAT(problem("a | c"), IsEmpty());
    EXPECT_THAT(script("a b | c").back().notes, ElementsAre("a |"));
    EXPECT_THAT(script("c 1 | a b").front().notes, ElementsAre("| a"));
    EXPECT_THAT(problem("c <<EOF"), HasSubstr("here-document"));
    EXPECT_THAT(problem("c *.img"), HasSubstr("pattern"));
    EXPECT_THAT(problem("c 'x\n"), HasSubstr("not closed"));
    EXPECT_THAT(problem("c \"$1\""), HasSubstr("`$1'"));
    EXPECT_THAT(problem("c ${X#y}"), HasSubstr("the variable X, which is not set"));
    EXPECT_THAT(problem("X=y\nc ${X@Q}"), HasSubstr("`${X@Q}'"));
    // What is wrong elsewhere is no matter.
    EXPECT_THAT(problem("it's $(\nc d"), IsEmpty());
}

TEST(Script, WhatOnlyItsRunKnewIsMarked) {
    const auto words = [](const std::string& text) { return script(text).back().words; };
    EXPECT_THAT(words("c $(d \"$(e)\") `f` x$$ $((RANDOM % 2))"),
                ElementsAre("c", "$(...)", "$(...)", "x$(...)", "$(...)"));
    EXPECT_THAT(words("X=a:$(d)\nY=$RANDOM\nc $X \"$Y\""), ElementsAre("c", "a:$(...)", "$(...)"));
    EXPECT_THAT(words("c $(nproc)"), ElementsAre("c", "6"));
    EXPECT_THAT(words("c $(nproc --all) $(grep -c ^processor /proc/cpuinfo)"),
                ElementsAre("c", "6", "6"));
    EXPECT_THAT(words("c $(nproc --ignore=2) $(nproc --ignore=9)"), ElementsAre("c", "4", "1"));
    EXPECT_THAT(words("c $(nproc --help)"), ElementsAre("c", "$(...)"));
    EXPECT_THAT(script("cd $(d)\nc").back().directory, IsEmpty());
}

TEST(Script, TestsAreDecidedByTheText) {
    const auto words = [](const std::string& text) { return script(text).back().words; };
    const auto problem = [](const std::string& text) { return script(text).back().problem.what; };
    // Each line sets X to `good', and to nothing else.
    for (const char* const line :
         {"if [ 1 -lt 2 ]; then X=good; else X=bad; fi",
          "if [[ a == b || -n c ]]; then X=good; fi",
          "[ a = b ] && X=bad || X=good",
          "[[ abc == a*c && ! x == y ]] && { X=good; }",
          "if ! false; then X=good; elif true; then X=bad; fi",
          "case a.iso in *.img) X=bad;; (b|*.iso) X=good;; *) X=bad; esac",
          "for X in bad good; do :; done",
          "for X in good bad; do if [ $X = good ]; then break; fi; done",
          "while false; do X=bad; done; X=good",
          "f() { X=$1; return; X=bad; }; f good",
          "X=good; for a in \"$@\"; do X=bad; done",
          "X=bad; test $# -eq 0 && X=good",
          "until true; do X=bad; done; X=good",
          "i=0; while [ $i -lt 3 ]; do i=$((i+1)); X=bad$i; done; [ $X = bad3 ] && X=good",
          "X=good; (X=bad)",
          "f() {\n  f() {\n    X=$1\n  }\n  f good\n}\nf bad",
          "X=good; for i in 1 2; do continue; X=bad; done",
          "f() { shift 2; X=$1; }; f a b good",
          "f() { shift 9; X=${1:-bad}; }; f good b",
          "i=1; ((i++)); (( i += 3 * 2 )); ((i = i - 1)); [ $i = 7 ] && X=good",
          "i=2; while ((i > 0)); do ((i--)); X=bad$i; done; [ $X = bad0 ] && X=good",
          "if ((2 <= 1)); then X=bad; elif ! ((0)); then X=good; fi",
          "X=good; while (( $# )); do X=bad; shift; done",
          "f() { [ $1 = a ]; }; f a && X=good",
          "f() { return 1; }; f || X=good",
          "f() { [ $1 = a ] || return 1; true; }; if ! f b; then X=good; fi",
          "X=bad; unset X; X=${X:-good}",
          "set -- a good; X=$2",
          "f() { X=$Y; }; Y=good f",
          "X=bad; for Y in $X; do [ -z \"$Z\" ] || continue; X=good; done",
          "[ $Z ] || X=good",
          "[ a = b -o c = c ] && X=good",
          "X=1; let X=X+1; [ $X = 2 ] && X=good",
          "X=(bad); X[1]=good; X=${X[1]}",
          "for i in {1..3}; do X=$i; done; [ $X = 3 ] && X=good",
          "X=good; eval \"X=2 $X\"",
          "for ((i=0;i<3;i++)) { X=$i; }; [ $X = 2 ] && X=good",
          "for ((i=0;i<3;i++)); do X=bad$i; done; [ $X = bad2 ] && X=good",
          "for i in 1 2 3; do [ $i = 2 ] && continue; X=bad$i; done; [ $X = bad3 ] && X=good",
          "for i in 1 2; do for j in 1; do X=good; continue 2; done; X=bad; done",
          "for i in 1 2; do for j in 1; do break 2; done; done; [ $i = 1 ] && X=good",
          "case a in a) X=bad;& b) X=good;; c) X=bad;; esac",
          "case a in a) X=bad;;& b) X=bad;; a) X=good;; esac",
          "Y='a*'; case abc in \"$Y\") X=bad;; $Y) X=good;; esac",
          "X=good; f() { local X=bad; }; f",
          "X=good; f() { local X; X=bad; }; f",
          "X=good; f() { :; }; X=bad f",
          "X=good; (f() { X=bad; }; f)",
          "E=; X=${E:-good}; X=${E-$X}$X",
          "X=1; ((Y++, X = 2)); [ $X = 2 ] && X=good",
          "X=good; a | X=bad",
          "X=good; { X=bad; } | a",
          "X=good; X=bad & wait",
          "X=good; f() { X=bad; }; f & wait",
          "X=bad; true &&\n  X=good || # no\n  X=bad",
          "X=good; (exit 1); (f() { exit; }; f)",
          "X=good; bash -c 'X=bad'",
          "X=good; false && : ${X:=bad} $((X++))",
          "X=good; case a in a) a | X=bad;; esac",
          "Y=(go od); X=${Y[@]}; [ \"$X\" = 'go od' ] && X=good",
          "Y=(a b); case ${Y[@]} in a) X=bad;; 'a b') X=good;; esac",
          "X=$(echo \"\"); X=${X:-good}",
          R"(Y=("a$1" b); [ ${#Y[@]} = 2 ] && [ "${Y[1]}" = b ] && X=good)",
          "for i in 1 2; do (break); X=bad$i; done; [ $X = bad2 ] && X=good",
          "IFS=:; Y=:good:bad; for X in $Y; do [ $X ] && break; done",
          "[ $Z != a ] && X=bad || X=good",
          "[[ a =~ ^(a|b)$ ]] && X=good"})
        EXPECT_THAT(words(std::string(line) + "\nc $X"), ElementsAre("c", "good")) << line;
    // Here the text does not tell.
    for (const char* const line : {"if [ -f here.img ]; then X=1; fi",
                                   "[[ $(date) == x ]] && X=1",
                                   "[[ $(date) =~ ^(a|b)$ ]] && X=1",
                                   "case `date` in x) X=1;; esac",
                                   "read X",
                                   "for i in $(ls); do X=1; done",
                                   "if a; then X=1; else X=2; fi",
                                   "X=1; if a; then printf -v X %s 2; fi",
                                   "f() { some; }; f && X=1",
                                   "f() { [ $1 = a ] && return 0; other; }; f b && X=1",
                                   "f() { some && return 1; true; }; f && X=1",
                                   "X=1; ((X = Y + 1))",
                                   "X=1; ((Y = X++ + 1))",
                                   "X=1; if a; then ((X++)); fi",
                                   "mapfile -t X <f",
                                   "X=(1 2); unset 'X[1]'",
                                   "X=1; f() { local -n Y=$1; Y=$(a) || Y=2; }; f X",
                                   "X=1; A=$(a) || X=2",
                                   "X=1; X[$Y]=2",
                                   "declare -A X; X[a]=1",
                                   "declare -i X; X+=1",
                                   "for ((i = 0; i < N; i++)); do X=$i; done",
                                   "let X=Y*2",
                                   "case a in `date`) X=1;; esac",
                                   "f() { X=$1; }; f $Y",
                                   "P=1; echo $((P++)); X=$P",
                                   "select X in a b; do break; done",
                                   "while a; do X=1; done"})
        EXPECT_NE(problem(std::string(line) + "\nc $X"), "") << line;
    EXPECT_NE(problem("if a; then set -- 1; else set -- 2; fi; c $1"), "");
    for (const char* const line : {"X=$(date); X=${#X}", "X=$(date); X=\"${X%%.*}\"",
                                   "X=$(date); X=${X/a/b}", "eval \"X=$Y\""})
        EXPECT_THAT(words(std::string(line) + "\nc $X"), ElementsAre("c", "$(...)")) << line;
    // Reading ends.
    for (const char* const endless :
         {"f() { for i in 1 2 3 4 5 6 7 8 9; do f; c; done; }\nf",
          "X=1\nwhile [ $X = 1 ]; do c; done",
          "f() { for i in 1 2 3 4 5 6 7 8 9; do c; done; }\ng() { for j in 1 2 3 4 5 6 7 8 9; do "
          "f; done; }\nfor k in 1 2 3 4 5 6 7 8 9; do g; done"})
        EXPECT_THAT(error_of<LauncherError>([&] { script(endless); }),
                    testing::AnyOf(HasSubstr("without end"), HasSubstr("more than 500 rounds")))
            << endless;
}

TEST(Script, AWordThatIsAScript) {
    const auto commands =
        script("cd /vm\nA=x\nalias l='one $A' m=two\nscreen -dm bash -c \"four; five '6 7'\"");
    ASSERT_EQ(commands.size(), 6U);
    EXPECT_THAT(commands[0].words, ElementsAre("one", "x"));
    EXPECT_EQ(commands[0].directory, "/vm");
    EXPECT_THAT(commands[1].words, ElementsAre("two"));
    EXPECT_THAT(commands[4].words, ElementsAre("five", "6 7"));
    EXPECT_EQ(commands[4].line, 4U);
    EXPECT_THAT(script("python3 -c 'a; b'"), testing::SizeIs(1));
    // Quotes that end and begin in the middle of the text.
    EXPECT_THAT(script("A=x\nsudo bash -c '\n  one \"'$A'\" \\\n  two \\\n  \"'$A'\"\n'")[0].words,
                ElementsAre("one", "x", "two", "x"));
    EXPECT_THAT(script("bash -c 'one it'$(x\n two\n'").front().problem.what,
                testing::Not(IsEmpty()));
    // However deep: it ends.
    std::string nested = "c";
    for (int i = 0; i < 8; i++)
        nested = "alias x=" + testing::PrintToString(nested);
    EXPECT_THAT(script(nested), testing::SizeIs(4));
}

TEST(Script, VariablesThatGrow) {
    const auto words = [](const std::string& text) { return script(text).back().words; };
    EXPECT_THAT(words("X=1\nX=2\nc $X"), ElementsAre("c", "2"));
    EXPECT_THAT(words("O='-m 1'\nO+=' -smp 2'\nO=\"$O -S\"\nc $O"),
                ElementsAre("c", "-m", "1", "-smp", "2", "-S"));
    EXPECT_THAT(words(": ${X:=d e}\nc $X \"$X\""), ElementsAre("c", "d", "e", "d e"));
    EXPECT_THAT(words("a=(-m 1 # no\n  'x y'\n)\na+=(-S)\nc \"${a[@]}\" z"),
                ElementsAre("c", "-m", "1", "x y", "-S", "z"));
    EXPECT_THAT(words("c ~lab/i $(dirname \"$0\")/j"),
                ElementsAre("c", "/home/lab/i", "/scripts/j"));
    EXPECT_THAT(words("c 'a\nb' \"d\ne\""), ElementsAre("c", "a\nb", "d\ne"));
    EXPECT_THAT(words("\xef\xbb\xbf"
                      "c 1\r\n"),
                ElementsAre("c", "1"));
}

TEST(Script, WhatIsLeftOutIsNamed) {
    const auto commands = script("kvm -m 1 \"$@\" 2>&1 | tee -a log\n");
    ASSERT_EQ(commands.size(), 1U);
    EXPECT_THAT(commands[0].words, ElementsAre("kvm", "-m", "1"));
    EXPECT_THAT(commands[0].notes, ElementsAre("$@", "| tee -a log"));
    EXPECT_THAT(commands[0].problem.what, IsEmpty());
}

TEST(Script, LinesOfDocumentsAreNoCommands) {
    EXPECT_THAT(script("cat <<EOF >x\nkvm -m 1\nEOF\nkvm -m 2\n").back().words,
                ElementsAre("kvm", "-m", "2"));
}

TEST(Script, UnitsOfSystemd) {
    const auto commands =
        script("[Service]\nEnvironment=\"O=-m 512\"\nExecStart=-/usr/bin/kvm $O -hda \\\n  /a\n");
    EXPECT_THAT(commands.back().words, ElementsAre("/usr/bin/kvm", "-m", "512", "-hda", "/a"));
}

// Longer than any; each word is looked at with all others.
TEST(Script, ACommandHasAnEnd) {
    const auto error = [](const std::string& word) {
        std::string text = "kvm -m 512";
        for (int i = 0; i < 20000; i++)
            text += " " + word;
        return error_of<LauncherError>([&] { find_qemu_start(text, no_environment, "FILE"); });
    };
    for (const char* const word : {"-usb", "$MORE", "$(more)", "-x"})
        EXPECT_THAT(error(word), HasSubstr("more than 2000 words")) << word;
    ShellCommand command;
    command.words.assign(2001, "kvm");
    EXPECT_THAT(error_of<LauncherError>([&] { translate_qemu_command(command, directory); }),
                HasSubstr("more than 2000 words"));
    const auto options = parse_legacy_options(std::vector<std::string>(101, "-cdrim"));
    EXPECT_THAT(options.front().unknown, HasSubstr("cdrom"));
    EXPECT_THAT(options.back().unknown, testing::Not(HasSubstr("cdrom")));
}

// Users, groups and modules are called so, too.
TEST(Script, WhoIsCalledKvm) {
    const auto qemu = [](const std::string& line) {
        const ShellCommand command = find_qemu_start(line, no_environment, "FILE");
        const auto found = find_qemu(command.words);
        return std::to_string(found - command.words.begin()) + " " + *found;
    };
    EXPECT_EQ(qemu("sudo -u kvm -g kvm -E env A=b qemu-system-x86_64 -m 1"),
              "8 qemu-system-x86_64");
    EXPECT_EQ(qemu("runuser -u kvm -- /usr/bin/qemu-kvm -m 1"), "4 /usr/bin/qemu-kvm");
    EXPECT_EQ(qemu("sudo -E kvm -name qemu -L /usr/share/qemu -m 1"), "2 kvm");
    EXPECT_EQ(qemu("sudo kvm a.img"), "1 kvm");
    EXPECT_EQ(qemu("nice -n 5 sudo chgrp kvm /dev/kvm\nsudo kvm -name qemu-kvm"), "1 kvm");
}

// systemd knows an instance's name by the name of the file that it was made for.
TEST(Script, SpecifiersOfSystemd) {
    const char* const unit =
        "[Service]\nExecStart=kvm -name %i -m 512 \\\n -hda '/d/%p/%i.raw' -append 100%%\nX=%i\n";
    EXPECT_THAT(find_qemu_start(unit, no_environment, "/etc/kvm@web.service").words,
                ElementsAre("kvm", "-name", "web", "-m", "512", "-hda", "/d/kvm/web.raw", "-append",
                            "100%"));
    EXPECT_THAT(find_qemu_start(unit, no_environment, "/etc/kvm@.service").words,
                ElementsAre("kvm", "-name", "$(...)", "-m", "512", "-hda", "/d/kvm/$(...).raw",
                            "-append", "100%"));
    EXPECT_THAT(find_qemu_start("kvm -hda /d/%i.raw", no_environment, "kvm@web.service").words,
                ElementsAre("kvm", "-hda", "/d/%i.raw"));
}

// What is no absolute path is one from there.
TEST(Script, DirectoriesOfUnitsAndDesktopEntries) {
    const auto directory = [](const std::string& text, const std::string& file) {
        return find_qemu_start(text, no_environment, file).directory;
    };
    EXPECT_EQ(directory("[Unit]\nAfter=a\n[Service]\nExecStart=/usr/bin/kvm -m 1 \\\n -hda a\n"
                        "WorkingDirectory=-/srv/%p x\n[Install]\nWorkingDirectory=/not\n",
                        "lab.service"),
              "/srv/lab x");
    EXPECT_EQ(directory("D=/srv/vms\ncat >/etc/systemd/system/lab.service <<EOF\n[Service]\n"
                        "WorkingDirectory=$D\nExecStart=kvm -m 1\nEOF\n",
                        "install.sh"),
              "/srv/vms");
    EXPECT_EQ(directory("[Desktop Entry]\nName=Lab\nExec=kvm -m 1 -hda a.raw\nPath=/srv/lab\n",
                        "lab.desktop"),
              "/srv/lab");
    EXPECT_EQ(directory("Exec=kvm\n$Exec -m 1\n", "lab.sh"), "");
}

TEST(Script, EnvironmentFilesOfUnits) {
    class : public Surroundings {
        [[nodiscard]] std::optional<std::string> text_of(const std::string& path) const override {
            return path == "/etc/kvm/web.env" ? std::optional(
                                                    "# web\n; more\nMEM=512\nDISK='/d/a b.raw'\n"
                                                    "EXTRA=\"-smp 2\"\nno\n")
                                              : std::nullopt;
        }
    } const web;
    const std::string command = "ExecStart=/usr/bin/kvm -m ${MEM} -hda \"${DISK}\" $EXTRA\n";
    EXPECT_THAT(find_qemu_start("[Service]\nEnvironmentFile=-/etc/kvm/%i.env\n" + command, web,
                                "/etc/kvm@web.service")
                    .words,
                ElementsAre("/usr/bin/kvm", "-m", "512", "-hda", "/d/a b.raw", "-smp", "2"));
    EXPECT_THAT(error_of<LauncherError>([&] {
                    find_qemu_start("[Service]\nEnvironmentFile=/etc/none.env\n" + command, web,
                                    "kvm.service");
                }),
                HasSubstr("EnvironmentFile=/etc/none.env, which may set it, cannot be read here"));
}

TEST(Script, AsAMailProgramSavesIt) {
    const auto words = [](std::string_view text) {
        return find_qemu_start(text, no_environment, "FILE").words;
    };
    const auto whole = ElementsAre("kvm", "-m", "512", "-drive", "file=/d/\xc3\xa4.raw,if=virtio");
    EXPECT_THAT(words("#!/bin/sh\nkvm -m 512 -drive file=3D/d/=C3=A4.raw,if=3Dvi=\nrtio=20\n"),
                whole);
    EXPECT_THAT(words("kvm -m 512 -drive =\r\nfile=3D/d/=C3=A4.raw,if=3Dvirtio\r\n"), whole);
    EXPECT_THAT(
        words("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: "
              "Quoted-Printable\n\nkvm -m 512 -drive =\nfile=3D/d/=C3=A4.raw,if=3Dvirtio\n"),
        whole);
    // Not all of it is encoded: 3D is a directory.
    EXPECT_THAT(words("kvm -m 512 -drive file=3D/a.raw,if=virtio\n"),
                ElementsAre("kvm", "-m", "512", "-drive", "file=3D/a.raw,if=virtio"));
    EXPECT_THAT(words("kvm -m 512 -uuid =3D=\n"), ElementsAre("kvm", "-m", "512", "-uuid", "="));
}

TEST(Script, AsAWebPageShowsIt) {
    EXPECT_THAT(refusal_of("kvm -drive file=\xe2\x80\x9c/d/a.raw\xe2\x80\x9d,if=virtio\n"),
                HasSubstr("has typographic quotes, as copied from a web page"));
    EXPECT_THAT(refusal_of("kvm -kernel /k -append \xe2\x80\x98"
                           "console=ttyS0 ro\xe2\x80\x99\n"),
                HasSubstr("has typographic quotes, as copied from a web page"));
    EXPECT_THAT(refusal_of("#!/bin/sh\nkvm -m 64 \\\n  -name &quot;lab&quot; -hda /d/a.raw\n"),
                HasSubstr("line 3 has &quot;, as in a web page's source"));
    EXPECT_THAT(refusal_of("kvm -m 64 -hda /d/a&#46;raw\n"), HasSubstr("line 1 has &#46;"));
    EXPECT_THAT(
        find_qemu_start("kvm -m 64 -hda /d/a.raw&\necho '&lt;'\n", no_environment, "FILE").words,
        ElementsAre("kvm", "-m", "64", "-hda", "/d/a.raw"));
}

TEST(Script, WhatAManualOrTheShellLeavesOpen) {
    EXPECT_THAT(refusal_of("IP=<address of the host>\nkvm -net none -hda a.raw -vnc $IP:1\n"),
                HasSubstr("line 1 has <address of the host>, which stands for something"));
    EXPECT_THAT(refusal_of("kvm ... -m 512 -hda /d/a.raw\n"),
                HasSubstr("`...' stands for options that were left out"));
    EXPECT_THAT(refusal_of("kvm -m 512 \\\n  -drive file=<disk_file>,if=virtio,format=<type>\n"),
                HasSubstr("line 2 has <disk_file>, which stands for something"));
    EXPECT_THAT(refusal_of("kvm -m 512 -hda <disk> \\\n  -cdrom /d/i.iso\n"),
                HasSubstr("line 1 has <disk>"));
    EXPECT_THAT(refusal_of("kvm -m 512 -cdrom <your images>/i.iso\n"),
                HasSubstr("line 1 has <your images>"));
    EXPECT_THAT(refusal_of("kvm -m 512 -netdev \"$(pick)\" -device virtio-net-pci,netdev=n0\n"),
                HasSubstr("-netdev '$(...)': the value of $(...) is known only"));
    EXPECT_THAT(refusal_of("kvm -m 512 -hda /d/a.raw $(more_options)\n"),
                HasSubstr("'$(...)' may stand for any options"));
    EXPECT_THAT(refusal_of("kvm -m 512 -hda $@\n"),
                HasSubstr("`-hda' at the end needs a value; give the script its arguments"));
    EXPECT_THAT(refusal_of("kvm $@ -m 512 -hda\n"), HasSubstr("needs a value; give the script"));
    EXPECT_THAT(refusal_of("kvm -m 512 -hda\n"), testing::EndsWith("needs a value"));
    // A shell reads from one file and writes into another; in quotes, it is a text.
    EXPECT_EQ(refusal_of("kvm -m 512 -hda /d/a.raw <in>out 2>&1\n"), "none");
    EXPECT_EQ(refusal_of("kvm -m 512 -hda /d/a.raw <in >out\n"), "none");
    EXPECT_EQ(refusal_of("kvm -kernel /d/k -append 'root=<x>,y' -hda /d/a.raw\n"), "none");
}

TEST(Script, AListOfQuotedWords) {
    EXPECT_THAT(refusal_of("a = ['kvm', '-hda', '/a']\nb = ['kvm', '-hda', '/b']\n"),
                HasSubstr("line 1 and others have lists"));
    for (const char* const list :
         {"['kvm', '-m', str(m)]", "['kvm', f'-m', '1']", "['kvm', '-m' '1']", "['kvm', '-m', '1'",
          "[\"kvm\", \"-name\", \"a\\nb\"]"}) {
        EXPECT_THAT(refusal_of("\nrun(" + std::string(list) + ")\n"),
                    HasSubstr("line 2 has QEMU's command line as a list, in which not all"))
            << list;
    }
    EXPECT_THAT(refusal_of("# ['kvm', '-m', '1']\nx = ['vi', '-m']\n"),
                HasSubstr("no QEMU command line"));
}

TEST(Script, OfZshThatShReadsAlike) {
    const std::string zsh = "#!/bin/zsh\n";
    for (const char* const alike :
         {"set -e\nD=\"$HOME/a b.raw\" # it's here\nE=$D\nkvm -m 512 -net none -hda \"${E}\"\n",
          "if [ \"$(uname -s)\" = Linux ]; then M=512; else M=256; fi\n"
          "exec kvm -m \"$M\" -net none -hda ~/a.raw \"$@\"\n",
          "N=3\nkvm -smp \"${N:-1}\" -net none -hda 'a*(b).raw'\n"})
        EXPECT_EQ(refusal_of(zsh + alike), "none") << alike;
    for (const char* const other :
         {"D=a.raw\nkvm -net none -hda $D\n", "D=a.raw\nkvm -net none -drive file=$D,if=virtio\n",
          "A=(-m 512)\nkvm \"$A\"\n", "kvm -net none -hda \"${D:h}/a.raw\"\n",
          "kvm -net none -hda \"${(L)D}\"\n", "setopt sh_word_split\nkvm -net none -hda a.raw\n",
          "kvm -net none -hda *.raw\n", "=kvm -m 512\n",
          "D=/a\nkvm -net none -hda \"$D:h/a.raw\"\n", "D=abc\nkvm -net none -name \"$D[1]\"\n",
          "f() { kvm -m 512 -hda a.raw; }\nf\n", "kvm -net none -hda `ls`\n"})
        EXPECT_THAT(refusal_of(zsh + other), HasSubstr("a script for zsh")) << other;
}

// Each of them within seconds, or the test's own limit ends it.
TEST(Script, LongTextsOfOtherLanguages) {
    constexpr size_t bytes = 100 * 1000;
    const auto filled = [](std::string_view with) {
        std::string text;
        while (text.size() + with.size() < bytes)
            text += with;
        return text;
    };
    for (const char* const unit : {"[", " [", "['kvm' ", "\n", "{", "[]string{"})
        EXPECT_NE(refusal_of(filled(unit)), "none") << unit;
    EXPECT_NE(refusal_of(filled(":\n").substr(0, bytes / 2)), "none");
    EXPECT_NE(refusal_of(filled(" ").substr(bytes / 2) + filled("[").substr(bytes / 2)), "none");
    EXPECT_NE(refusal_of("#" + filled("['kvm' ")), "none");
    EXPECT_NE(refusal_of("#!/bin/zsh\n" + filled("${")), "none");
    EXPECT_NE(refusal_of("#!/bin/zsh\n" + filled("$a ")), "none");
    EXPECT_NE(refusal_of("if [ ! -f /none ]; then\n" + filled("exit 1\n") + "fi\n"), "none");
}

TEST(Script, LinesOfOneLengthMayBeTwoStarts) {
    EXPECT_THAT(refusal_of("/usr/bin/kvm -net none -hda /data/images/of-the-first-lab-a-a-a.raw\n"
                           "/usr/bin/kvm -net none -hda /data/images/of-the-first-lab-b-b-b.raw\n"
                           "done\n"),
                HasSubstr("more than once"));
}

TEST(Script, AnAliasOfQemuIsNotAllOfIt) {
    for (const char* const alias :
         {"alias q='qemu-system-x86_64 -enable-kvm'", "alias ll=ls q=kvm"})
        EXPECT_THAT(error_of<LauncherError>([&] {
                        find_qemu_start(std::string(alias) + "\nq -m 64 -hda /d/a.raw\n",
                                        no_environment, "FILE");
                    }),
                    HasSubstr("line 2 calls `q', an alias of QEMU's name"));
}

TEST(Script, TheWrapperOfEveNg) {
    EXPECT_THAT(find_qemu_start(
                    "root 7 1.0 2.0 1 4 ? Sl 10:00 0:01 /opt/unetlab/wrappers/qemu_wrapper -T 0 "
                    "-D 1 -t a b -F /opt/qemu-2.12.0/bin/qemu-system-x86_64 -d 0 -- -m 512 "
                    "-append root=/dev/sda ro -hda hda.qcow2\n",
                    no_environment, "FILE")
                    .words,
                ElementsAre("/opt/qemu-2.12.0/bin/qemu-system-x86_64", "-m", "512", "-append",
                            "root=/dev/sda ro", "-hda", "hda.qcow2"));
}

TEST(Script, WhyAVariableIsNotKnownIsOneSentence) {
    try {
        find_qemu_start("a=$1\nb=$a\nc=$b\nkvm -m 1 $c\n", no_environment, "lab.sh");
        FAIL();
    } catch (const LauncherError& error) {
        EXPECT_THAT(std::string(error.what()),
                    HasSubstr("which only the shell that runs it knows, in line 1; write out"));
    }
}

TEST(Script, ExpansionHasABudget) {
    std::string text = "A=" + std::string(1000, 'x') + "\n";
    for (char c = 'B'; c < 'P'; c++)
        text += std::string(1, c) + "=$" + std::string(1, static_cast<char>(c - 1)) + "$" +
                std::string(1, static_cast<char>(c - 1)) + "\n";
    EXPECT_THAT(error_of<LauncherError>([&] { script(text + "kvm $O"); }),
                HasSubstr("more than 4 MiB of text"));
    EXPECT_THAT(error_of<LauncherError>([] { script(std::string_view("kvm -m\0", 7)); }),
                HasSubstr("there is a NUL byte"));
}

// --- values

TEST(LegacyProperties, AsQemuReadsThem) {
    Properties properties = Properties::parse("a,,b,readonly,nowait,x=1,x=2,y=,,", "file");
    EXPECT_EQ(properties.get("file"), "a,b");
    EXPECT_EQ(properties.get("readonly"), "on");
    EXPECT_EQ(properties.get("wait"), "off");
    EXPECT_THAT(properties.take_all("x"), ElementsAre("1", "2"));
    EXPECT_FALSE(properties.has("x"));
    EXPECT_EQ(properties.str("file"), "a,,b,readonly=on,wait=off,y=,,");
    EXPECT_THAT(Properties::parse("", "file").all(), IsEmpty());
}

TEST(LegacyProperties, Json) {
    const Properties properties =
        Properties::parse(R"({"driver":"x","n":5,"b":true,"file":{"filename":"/a"}})", "driver");
    EXPECT_EQ(properties.get("driver"), "x");
    EXPECT_EQ(properties.get("n"), "5");
    EXPECT_EQ(properties.get("b"), "on");
    EXPECT_EQ(properties.get("file.filename"), "/a");
    EXPECT_THAT(error_of<LauncherError>([] { Properties::parse("{\"a\"", ""); }),
                HasSubstr("is not valid JSON"));
}

// --- whole command lines

std::string translated(const std::string& text) {
    try {
        const Translation translation =
            translate_qemu_command(find_qemu_start(text, no_environment, "FILE"), directory);
        const VmName name = VmName::parse("vm").value();
        const auto settings = settings_of(translation, directory, {});
        describe_vm(name, settings);
        return annotated_vm_file(name, settings, translation);
    } catch (const LauncherError& error) {
        return std::string("error: ") + error.what() + "\n";
    }
}

TEST(Translate, Expected) {
    const auto cases = read_cases("cases.txt");
    ASSERT_GE(cases.size(), 60U);
    const auto expected = read_cases("expected.txt");
    std::string all;
    for (size_t i = 0; i < cases.size(); i++) {
        const std::string actual = translated(cases[i].text);
        all += "== " + cases[i].name + "\n" + actual;
        if (i < expected.size() && expected[i].name == cases[i].name) {
            EXPECT_EQ(actual, expected[i].text) << cases[i].name;
        }
    }
    if (std::getenv("TAPGATE_UPDATE_EXPECTED") != nullptr)
        std::ofstream(TAPGATE_TRANSLATE_CASES "/expected.txt") << all;
    else
        EXPECT_EQ(cases.size(), expected.size());
}

// Each option is named in a note, and each file that is written is read back as the same.
TEST(Translate, NothingIsLost) {
    std::map<std::string, std::string> expected;
    for (const Case& one : read_cases("expected.txt"))
        expected[one.name] = one.text;
    for (const Case& one : read_cases("cases.txt")) {
        SCOPED_TRACE(one.name);
        ShellCommand command;
        Translation translation;
        const std::string error = error_of<LauncherError>([&] {
            command = find_qemu_start(one.text, no_environment, "FILE");
            translation = translate_qemu_command(command, directory);
        });
        if (error != "none") {
            EXPECT_EQ("error: " + error + "\n", expected[one.name]);
            continue;
        }
        auto words = command.words;
        const auto qemu = std::find_if(words.begin(), words.end(), [](const std::string& word) {
            return word.find("qemu") != std::string::npos || word == "kvm" ||
                   word.ends_with("/kvm");
        });
        if (!words[0].starts_with('-'))
            words.erase(words.begin(), arguments_of_qemu(words, qemu));
        std::string named;
        for (const TranslationNote& note : translation.notes)
            named += note.was + "\n";
        for (const LegacyOption& option : parse_legacy_options(words))
            EXPECT_THAT(named, HasSubstr(option.text));
        const VmName name = VmName::parse("vm").value();
        const std::string text =
            annotated_vm_file(name, settings_of(translation, directory, {}), translation);
        const VmDescription again = describe_vm(name, parse_vm_file("/vm.conf", text));
        const VmDescription first = describe_vm(name, settings_of(translation, directory, {}));
        ASSERT_EQ(again.settings.size(), first.settings.size());
        for (size_t i = 0; i < again.settings.size(); i++)
            EXPECT_EQ(again.settings[i].key, first.settings[i].key);
    }
}

// --- domains, appliances

std::string described(const Translation& translation) {
    const VmName name = VmName::parse("vm").value();
    const auto settings = settings_of(translation, directory, {});
    describe_vm(name, settings);
    return annotated_vm_file(name, settings, translation);
}

void expect_cases(const std::string& folder, size_t least,
                  const std::function<Translation(const std::string&)>& read) {
    const auto cases = read_cases("../" + folder + "/cases.txt");
    ASSERT_GE(cases.size(), least);
    const auto expected = read_cases("../" + folder + "/expected.txt");
    std::string all;
    for (size_t i = 0; i < cases.size(); i++) {
        std::string actual;
        try {
            actual = described(read(cases[i].text));
        } catch (const LauncherError& error) {
            actual = std::string("error: ") + error.what() + "\n";
        }
        all += "== " + cases[i].name + "\n" + actual;
        if (i < expected.size() && expected[i].name == cases[i].name) {
            EXPECT_EQ(actual, expected[i].text) << cases[i].name;
        }
    }
    if (std::getenv("TAPGATE_UPDATE_EXPECTED") != nullptr)
        std::ofstream(TAPGATE_TRANSLATE_CASES "/../" + folder + "/expected.txt") << all;
    else
        EXPECT_EQ(cases.size(), expected.size());
}

TEST(Domain, Expected) {
    expect_cases("domains", 50,
                 [](const std::string& text) { return translate_domain(text, "FILE"); });
}

TEST(Appliance, Expected) {
    expect_cases("appliances", 12,
                 [](const std::string& text) { return read_ovf(text, "FILE", {}).translation; });
}

// A VM file of more than 64 KiB cannot be read, and would be no VM.
TEST(Translation, TheNameOfTheCommand) {
    Translation translation;
    translation.name = "old";
    translation.changed("<name>old", "VM old", std::string(why_name) + "; and more");
    translation.changed("other", "VM old", "another reason");
    translation.rename("old");
    EXPECT_EQ(translation.notes[0].why, std::string(why_name) + "; and more");
    translation.rename("new");
    EXPECT_EQ(translation.name, "new");
    EXPECT_EQ(note_text(translation.notes[0]),
              "<name>old  ->  VM new: as the command calls it; and more");
    EXPECT_EQ(note_text(translation.notes[1]), "other  ->  VM old: another reason");
}

TEST(Translation, NotesLeaveTheFileReadable) {
    constexpr size_t most = 64UL * 1024;
    const auto file_with = [](size_t notes, size_t length) {
        Translation translation;
        translation.set("memory", "2G");
        for (size_t i = 0; i < notes; i++)
            translation.dropped("note " + std::to_string(i) + std::string(length, 'x'), "a reason");
        return described(translation);
    };
    const std::string whole = file_with(10, 5000);
    EXPECT_THAT(whole, HasSubstr("note 9" + std::string(5000, 'x') + "  ->  dropped: a reason"));
    const std::string cut = file_with(300, 700);
    EXPECT_LT(cut.size(), most);
    EXPECT_THAT(cut, HasSubstr("memory = 2G"));
    EXPECT_THAT(cut, HasSubstr("note 299x"));
    EXPECT_THAT(cut, Not(HasSubstr("no room here")));
    // Those with the commonest reason are cut first.
    Translation mixed;
    const std::string rare = "rare" + std::string(5000, 'z');
    mixed.dropped(rare, "a rare reason");
    for (size_t i = 0; i < 300; i++)
        mixed.dropped("note " + std::to_string(i) + std::string(700, 'x'), "a reason");
    EXPECT_LT(described(mixed).size(), most);
    EXPECT_THAT(described(mixed), HasSubstr(rare));
    EXPECT_LT(file_with(3000, 10).size(), most);
    Translation unlike;
    for (size_t i = 0; i < 200; i++)
        unlike.dropped("note", std::to_string(i) + std::string(4000, 'y'));
    EXPECT_LT(described(unlike).size(), most);
    EXPECT_TRUE(described(unlike).ends_with("\n"));
    // What has a reason of its own stays.
    Translation many;
    many.dropped("the first", "another reason");
    for (size_t i = 0; i < 3000; i++)
        many.dropped("note " + std::to_string(i), "a reason");
    many.dropped("the last", "a third reason");
    const std::string full = described(many);
    EXPECT_LT(full.size(), most);
    EXPECT_THAT(full, HasSubstr("the first  ->  dropped: another reason"));
    EXPECT_THAT(full, HasSubstr("#   note 0  ->  dropped: a reason"));
    EXPECT_TRUE(
        full.ends_with("#   ... and more, for which there is no room here: a reason\n"
                       "#   the last  ->  dropped: a third reason\n"));
}

TEST(Domain, ControlCharactersAreRefused) {
    const auto problem = [](const std::string& character) {
        const std::string text =
            "<domain type='kvm'><name>a" + character + "b</name><os><type>hvm</type></os></domain>";
        const std::string with_attribute =
            "<Envelope><References><File id='" + character + "'/></References></Envelope>";
        EXPECT_THAT(error_of<LauncherError>([&] { read_ovf(with_attribute, "FILE", {}); }),
                    HasSubstr("control character"));
        return error_of<LauncherError>([&] { translate_domain(text, "FILE"); });
    };
    for (const char* const character : {"&#0;", "&#x0;", "&#00;", "&#7;", "&#27;", "\x1b", "\x7f"})
        EXPECT_THAT(problem(character), HasSubstr("control character")) << character;
    EXPECT_THAT(problem(std::string(1, '\0')), HasSubstr("control character"));
}

// Words that become something without standing there: what tapgate has by itself or says otherwise
// (a driver of QEMU's, a feature with a sign, a comma written twice), and parts of what is one
// thing (how a serial line was reached, what libvirt knew of one run).
bool is_said_otherwise(std::string_view word) {
    constexpr std::string_view words[] = {"hvm",   "qemu",    "block",   "raw",      "ignore",
                                          "allow", "require", "disable", "telnet",   "/x",
                                          "x",     "/m",      "unix",    "LENOVO, X"};
    return std::find(std::begin(words), std::end(words), word) != std::end(words);
}

// All else that an element or an attribute says stands in a note or a setting, but for places.
TEST(Domain, NothingIsLost) {
    for (const Case& one : read_cases("../domains/cases.txt")) {
        SCOPED_TRACE(one.name);
        pugi::xml_document document;
        Translation translation;
        try {
            translation = translate_domain(one.text, "FILE");
        } catch (const LauncherError&) {
            EXPECT_THAT(one.name, testing::AnyOf(HasSubstr("none"), HasSubstr("another"),
                                                 HasSubstr("too many"), HasSubstr("XML"),
                                                 HasSubstr("DOCTYPE")));
            continue;
        }
        ASSERT_TRUE(document.load_string(one.text.c_str()));
        std::string named;
        for (const TranslationNote& note : translation.notes)
            named += note.was + "\n" + note.became + "\n" + note.why + "\n";
        for (const auto& [key, value] : translation.settings)
            named.append(key).append("=").append(value).append("\n");
        struct Walker : pugi::xml_tree_walker {
            explicit Walker(const std::string& text) : named(text) {}
            bool for_each(pugi::xml_node& node) override {
                const std::string_view name = node.name();
                if (name == "address" || name == "alias")
                    return true;
                for (const pugi::xml_attribute& attribute : node.attributes()) {
                    if (!is_said_otherwise(attribute.value())) {
                        EXPECT_THAT(named, HasSubstr(attribute.value())) << node.name();
                    }
                }
                if (node.type() == pugi::node_pcdata) {
                    const std::string text(node.value());
                    const size_t begin = text.find_first_not_of(" \n\t");
                    if (begin != std::string::npos && !is_said_otherwise(text)) {
                        EXPECT_THAT(named, HasSubstr(text.substr(
                                               begin, text.find_last_not_of(" \n\t") + 1 - begin)));
                    }
                }
                return true;
            }
            const std::string& named;
        } walker(named);
        document.traverse(walker);
    }
}

// What of an OVF descriptor becomes something without standing there: numbers by which its parts
// name each other, units, and sizes, which Ovf.Machine and the system tests ask for.
bool is_structure_of_ovf(std::string_view name) {
    constexpr std::string_view names[] = {"id",
                                          "diskId",
                                          "fileRef",
                                          "InstanceID",
                                          "InstanceId",
                                          "Parent",
                                          "AddressOnParent",
                                          "ResourceType",
                                          "HostResource",
                                          "VirtualQuantity",
                                          "VirtualQuantityUnits",
                                          "AllocationUnits",
                                          "capacity",
                                          "format",
                                          "volume-format",
                                          "size",
                                          "type",
                                          "capacityAllocationUnits",
                                          "required",
                                          "nil",
                                          "default",
                                          "populatedSize",
                                          "num_of_sockets",
                                          "cpu_per_socket",
                                          "Info",
                                          "Address",
                                          "AutomaticAllocation",
                                          "chunkSize",
                                          "compression"};
    return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

// What only says in words what the item says, the language of the words, and a version that is
// known.
bool says_nothing(std::string_view text) {
    constexpr std::string_view texts[] = {"Number of virtual CPUs",
                                          "Memory Size",
                                          "512 MB of memory",
                                          "LSI Logic SCSI Controller",
                                          "E1000 ethernet adapter on \"lan\"",
                                          "en-US",
                                          "4.4.0.0"};
    return std::find(std::begin(texts), std::end(texts), text) != std::end(texts);
}

// All else that a descriptor says stands in a note, a setting or a disk.
TEST(Appliance, NothingIsLost) {
    size_t compared = 0;
    for (const Case& one : read_cases("../appliances/cases.txt")) {
        SCOPED_TRACE(one.name);
        Appliance appliance;
        try {
            appliance = read_ovf(one.text, "FILE", {});
        } catch (const LauncherError&) {
            continue;  // Appliance.Expected has the reason
        }
        compared++;
        pugi::xml_document document;
        ASSERT_TRUE(document.load_string(one.text.c_str()));
        std::string named;
        for (const TranslationNote& note : appliance.translation.notes)
            named += note.was + "\n" + note.became + "\n" + note.why + "\n";
        for (const auto& [key, value] : appliance.translation.settings)
            named.append(key).append("=").append(value).append("\n");
        for (const ApplianceDisk& disk : appliance.disks)
            named += disk.file + "\n";
        struct Walker : pugi::xml_tree_walker {
            explicit Walker(const std::string& text) : named(text) {}
            void expect(std::string_view name, std::string value) {
                // A path has no "./", and a Secure Boot that is on is a firmware.
                if (value.starts_with("./"))
                    value.erase(0, 2);
                const size_t colon = name.find(':');
                if (colon != std::string_view::npos)
                    name.remove_prefix(colon + 1);
                const size_t begin = value.find_first_not_of(" \n\t");
                if (begin == std::string::npos || is_structure_of_ovf(name))
                    return;
                const std::string word =
                    value.substr(begin, value.find_last_not_of(" \n\t") + 1 - begin);
                if (!says_nothing(word)) {
                    EXPECT_THAT(named, HasSubstr(word)) << name;
                }
            }
            bool for_each(pugi::xml_node& node) override {
                for (const pugi::xml_attribute& attribute : node.attributes()) {
                    if (!std::string_view(attribute.name()).starts_with("xmlns"))
                        expect(attribute.name(), attribute.value());
                }
                if (node.type() == pugi::node_pcdata)
                    expect(node.parent().name(), node.value());
                return true;
            }
            const std::string& named;
        } walker(named);
        document.traverse(walker);
    }
    EXPECT_GE(compared, 10U);
}

// How much of the cases is taken over. What is lost without a word is counted by NothingIsLost, and
// is none; a verdict that changes shows in expected.txt.
TEST(Corpus, MostIsTakenOverAndTheRestHasAReason) {
    struct Folder {
        const char* name;
        size_t least_percent;  // there are cases that have to be refused
    };
    for (const Folder& folder :
         {Folder{"translate", 85}, Folder{"domains", 85}, Folder{"appliances", 50}}) {
        const auto expected = read_cases(std::string("../") + folder.name + "/expected.txt");
        size_t refused = 0;
        for (const Case& one : expected) {
            constexpr std::string_view start = "error: ";
            if (!one.text.starts_with(start))
                continue;
            refused++;
            EXPECT_GT(one.text.size(), start.size() + 20) << one.name << ": no reason";
        }
        ASSERT_FALSE(expected.empty());
        const size_t percent = (expected.size() - refused) * 100 / expected.size();
        std::cout << folder.name << ": " << expected.size() << " cases, " << refused
                  << " refused with a reason, " << percent << " % taken over\n";
        EXPECT_GE(percent, folder.least_percent);
    }
}

TEST(Translate, LevelsOfCpusWhoseProductIsTooBig) {
    for (const std::string& first : {std::string(), std::string("2,")}) {
        ShellCommand command;
        command.words = {"kvm", "-smp",
                         first + "sockets=65536,cores=65536,threads=65536,dies=65536"};
        const Translation translation = translate_qemu_command(command, "/vm");
        EXPECT_THAT(translation.settings,
                    testing::Contains(std::pair("qemu-arg", command.words[2])));
    }
}

TEST(Translate, ConfigurationFilesOfQemu) {
    EXPECT_THAT(
        options_in_config_file("# QEMU config\r\n[machine]\n  type = \"q35\"\n[memory]\nsize = "
                               "\"1G\"\n[device \"d\"]\n\tdriver=\"nvme\"\nserial = \"a,b\"\n"
                               "[global]\n driver = \"e1000\"\n",
                               "f"),
        ElementsAre("-machine", "type=q35", "-m", "size=1G", "-device",
                    "id=d,driver=nvme,serial=a,,b", "-global", "driver=e1000"));
    EXPECT_THAT(options_in_config_file("", "f"), IsEmpty());
    for (const char* const wrong :
         {"a = \"b\"\n", "[d]\na = b\n", "[d]\nword\n", "[d id]\n", "[d]\na = \"\n"})
        EXPECT_THAT(error_of<LauncherError>([&] { options_in_config_file(wrong, "f"); }),
                    HasSubstr("f: line "));
}

TEST(Translate, WhatBootsFromNothing) {
    const auto said = [](const std::string& options, const std::string& file) {
        return nothing_to_boot(
            VmName::parse("vm").value(),
            settings_of(translate_qemu_command(
                            find_qemu_start("kvm -m 64 " + options, no_environment, "FILE"), "/"),
                        "/", {}),
            file);
    };
    const auto boots_from_nothing = [&](const std::string& options) {
        return !said(options, "").empty();
    };
    EXPECT_EQ(said("-net none", ""),
              "vm has no disk, and boots from nothing: before you start it, give it one with "
              "--disk=PATH");
    EXPECT_EQ(said("-net none", "/a/vm.conf"),
              "vm has no disk, and boots from nothing: before you start it, add a line `disk = "
              "PATH' to /a/vm.conf");
    EXPECT_TRUE(boots_from_nothing("-net none"));
    EXPECT_TRUE(boots_from_nothing("-drive file=/a.raw,if=nonsense"));
    EXPECT_FALSE(boots_from_nothing("-hda /a.raw"));
    EXPECT_FALSE(boots_from_nothing("-cdrom /a.iso"));
    EXPECT_FALSE(boots_from_nothing("-kernel /vmlinuz"));
    EXPECT_FALSE(boots_from_nothing("-fda /dos.img"));
    EXPECT_FALSE(boots_from_nothing("-boot n"));
}

TEST(Translate, SettingsOfTheCommandLineWin) {
    ShellCommand command;
    command.words = {"kvm", "-m", "512", "-net", "nic", "-net", "tap"};
    const Translation translation = translate_qemu_command(command, directory);
    const auto settings = settings_of(translation, directory,
                                      {command_line_setting("net", "bridge:lab7", directory)});
    const VmDescription vm = describe_vm(VmName::parse("vm").value(), settings);
    ASSERT_EQ(vm.spec.nets.size(), 1U);
    EXPECT_EQ(std::get<BridgeNet>(vm.spec.nets[0].link).bridge.str(), "lab7");
}

TEST(Translate, EachOptionWithAValueIsKnown) {
    for (const std::string_view name : options_with_value()) {
        const std::string word = "-" + std::string(name);
        const auto options = parse_legacy_options({word, "1"});
        ASSERT_EQ(options.size(), 1U) << word;
        ASSERT_NE(options[0].kind, nullptr) << word;
        EXPECT_EQ(options[0].value, "1") << word;
    }
}

TEST(Translate, AGuessOfABridgeIsMarked) {
    const auto guesses = [](const std::string& net) {
        const Translation result = translate_qemu_command(
            find_qemu_start("kvm -hda /data/a.raw -device e1000,netdev=n -netdev " + net,
                            no_environment, "FILE"),
            directory);
        return std::count_if(result.notes.begin(), result.notes.end(),
                             [](const TranslationNote& note) { return note.is_guess; });
    };
    EXPECT_EQ(guesses("tap,id=n"), 1);
    EXPECT_EQ(guesses("tap,id=n,script=no"), 1);
    EXPECT_EQ(guesses("vmnet-bridged,id=n,ifname=en0"), 1);
    EXPECT_EQ(guesses("bridge,id=n,br=this-name-is-too-long"), 1);
    EXPECT_EQ(guesses("bridge,id=n"), 0) << "it is the default of QEMU's helper";
    EXPECT_EQ(guesses("tap,id=n,br=br7"), 0);
    EXPECT_EQ(guesses("user,id=n"), 0);
}

TEST(Translate, Names) {
    EXPECT_EQ(fitting_name("web server (old)"), "web-server-old");
    EXPECT_EQ(fitting_name("7-eleven"), "vm7-eleven");
    EXPECT_EQ(fitting_name("\xe6\x95\x99"), "");
    EXPECT_EQ(fitting_name(std::string(99, 'x')).size(), VmName::max_size);
}

}  // namespace

}  // namespace tapgate
