// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/cli/look_verbs.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "launcher/base/child_process.h"
#include "launcher/base/directories.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/output.h"
#include "launcher/base/program.h"
#include "launcher/base/stop_signals.h"
#include "launcher/base/text.h"
#include "launcher/base/unfinished_file.h"
#include "launcher/base/unix_socket.h"
#include "launcher/qemu/control.h"
#include "launcher/qemu/viewer.h"
#include "launcher/run/console.h"
#include "launcher/run/console_log.h"
#include "launcher/run/ending.h"
#include "launcher/run/process.h"
#include "launcher/vm/state.h"

namespace tapgate {

namespace {

using std::chrono::milliseconds;

// Prints what is left in the file, made fit for a terminal if it goes to one.
void print_rest(const UniqueFd& fd, const std::string& path) {
    // What a guest has written can contain terminal commands. It is filtered by whole lines, which
    // no character crosses.
    const bool terminal = isatty(STDOUT_FILENO) != 0;
    std::array<char, 65536> buffer{};
    std::string text;
    for (;;) {
        const ssize_t got = read(fd.get(), buffer.data(), buffer.size());
        if (got < 0)
            fail_with_errno(shown(path));
        text.append(buffer.data(), static_cast<size_t>(got));
        const bool all = !terminal || got == 0 || text.size() > buffer.size();
        const size_t whole = all ? text.size() : text.rfind('\n') + 1;  // npos + 1 is 0
        std::string lines = text.substr(0, whole);
        if (terminal) {
            std::erase(lines, '\r');
            lines = terminal_lines(lines, lines.size());
        }
        print(lines);
        text.erase(0, whole);
        if (got == 0)
            return;
    }
}

UniqueFd opened(const std::string& path) {
    UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd)
        fail_with_errno(shown(path));
    return fd;
}

// Whether another file has taken its place, or it was cut.
bool is_another(const UniqueFd& fd, const std::string& path) {
    struct stat mine {};
    struct stat now {};
    return fstat(fd.get(), &mine) == 0 && stat(path.c_str(), &now) == 0 &&
           (mine.st_ino != now.st_ino || now.st_size < lseek(fd.get(), 0, SEEK_CUR));
}

// With `follows`, goes on until the VM has ended.
void print_file(const VmName& name, const std::string& path, bool follows) {
    constexpr milliseconds interval{200};
    UniqueFd fd = opened(path);
    print_rest(fd, path);
    while (follows) {
        // Look at the state before reading, so that the last output is not missed. (A crashed VM
        // keeps that state until somebody looks after it.)
        const Life life = vm_state(name).life;
        const bool runs = life != Life::off && life != Life::crashed;
        std::this_thread::sleep_for(interval);
        print_rest(fd, path);
        if (!runs)
            return;
        if (is_another(fd, path))
            fd = opened(path);
    }
}

// QEMU lets one client at a time use the console; others would wait without being told.
void require_free_console(const VmName& name) {
    for (const auto& chardev : qmp_command(name, "query-chardev")) {
        if (chardev.value("label", "") == "console" &&
            !chardev.value("filename", "").starts_with("disconnected:"))
            throw LauncherError("another terminal has the console of " + name.str() +
                                " (tapgate run, or another program)");
    }
}

}  // namespace

ExitCode attach_console(const CommandLine& command) {
    const VmName name = command.vm_name();
    require_running(name);
    const UniqueFd lock = lock_console(name);
    require_free_console(name);
    StopSignals stop;
    std::signal(SIGPIPE, SIG_IGN);
    UniqueFd socket = connect_unix(console_path(name));
    if (!socket)
        throw LauncherError("cannot connect to " + shown(console_path(name)));
    const int input = console_input();
    Console console(std::move(socket), input, STDOUT_FILENO);
    {
        const RawTerminal terminal(STDIN_FILENO);
        if (terminal.active())
            note("the console of " + name.str() + "; Ctrl-] leaves it");
        while (console.open()) {
            const Console::Polls wanted = console.wanted();
            std::array<pollfd, 1 + Console::polls> fds{pollfd{stop.fd(), POLLIN, 0}};
            std::copy(wanted.begin(), wanted.end(), fds.begin() + 1);
            if (poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR)
                fail_with_errno("poll");
            Console::Polls ready{};
            std::copy(fds.begin() + 1, fds.end(), ready.begin());
            if (!stop.take().empty() || console.carry(ready) > 0)
                break;
            // Input that is not from a terminal ends; then only the guest's answer to it is shown.
            if (input >= 0 && console.typed_all()) {
                console.drain();
                break;
            }
        }
    }
    if (isatty(STDIN_FILENO) != 0)
        note(console.open() ? "left the console of " + name.str() + ", which runs on"
                            : name.str() + " has ended");
    return ExitCode::done;
}

ExitCode print_log(const CommandLine& command) {
    const VmName name = command.vm_name();
    require_vm(name);
    if (const std::string why = why_lost(name); !why.empty())
        throw LauncherError(why);
    const auto [older, console] = console_log_paths(name);
    const std::string path = command.has("qemu") ? qemu_log_path(name) : console;
    if (access(path.c_str(), F_OK) != 0)
        throw LauncherError(name.str() +
                            " has written nothing: it was not started since this host " +
                            "was; start it with: tapgate start " + name.str());
    if (path == console && access(older.c_str(), F_OK) == 0)
        print_file(name, older, false);
    print_file(name, path, command.has("follow"));
    return ExitCode::done;
}

// The screen's address. Throws when there is no screen.
std::string required_screen(const VmName& name) {
    std::string address = vnc_address(name);
    if (address.empty())
        throw LauncherError(name.str() + " has no screen; give it one with: tapgate set " +
                            name.str() + " display=vnc && tapgate restart " + name.str());
    return address;
}

ExitCode print_vnc(const CommandLine& command) {
    const VmName name = command.vm_name();
    require_running(name);
    const std::string address = required_screen(name);
    note("in a viewer: " + shell_text(viewer_words("vncviewer", address)) +
         (address.starts_with("unix:")
              ? ""
              : ", or " + shell_text(viewer_words("remote-viewer", address))) +
         "; tapgate view " + name.str() + " starts one");
    print(shown(viewer_address(address)) + "\n");
    return ExitCode::done;
}

ExitCode view_vm(const CommandLine& command) {
    const VmName name = command.vm_name();
    require_running(name);
    const auto is_set = [](const char* variable) {
        const char* const value = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe)
        return value != nullptr && *value != '\0';
    };
    const std::string address = vnc_address(name);
    std::string why = "it has no screen";
    if (!address.empty() && !is_set("DISPLAY") && !is_set("WAYLAND_DISPLAY")) {
        why = "there is no desktop here";
    } else if (!address.empty()) {
        for (const char* viewer : {"vncviewer", "remote-viewer", "gvncviewer"}) {
            const auto words = viewer_words(viewer, address);
            if (!words.empty() && find_program(viewer))
                return static_cast<ExitCode>(run_at_terminal(words));
        }
        why = "no viewer is installed (apt install tigervnc-viewer)";
    }
    note(why + "; its serial console, then");
    return attach_console(command);
}

ExitCode take_screenshot(const CommandLine& command) {
    constexpr size_t largest = size_t{256} << 20;
    const VmName name = command.vm_name();
    const std::string& file = command.operands.at(1);
    const std::string path = absolute_path(file);
    require_running(name);
    // QEMU writes to the VM's directory and not to the user's file: so it follows no link there,
    // and a failure leaves no partial picture.
    const std::string picture =
        vm_directory(name) + "/screenshot." + std::to_string(getpid()) + ".png";
    std::optional<std::string> png;
    try {
        qmp_command(name, "screendump", {{"filename", picture}, {"format", "png"}},
                    milliseconds(10000));
        png = read_file(picture, largest);
    } catch (const LauncherError& error) {
        unlink(picture.c_str());
        // required_screen() throws an error that names the way out.
        if (std::string_view(error.what()).find("no console") != std::string_view::npos)
            required_screen(name);
        throw;
    }
    unlink(picture.c_str());
    if (!png || png->empty())
        throw LauncherError("QEMU has written no picture");
    replace_file(path, *png);
    return ExitCode::done;
}

}  // namespace tapgate
