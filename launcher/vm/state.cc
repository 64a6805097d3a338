// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/vm/state.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "launcher/base/directories.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/output.h"
#include "launcher/base/text.h"
#include "launcher/base/unfinished_file.h"
#include "launcher/vm/file.h"
#include "launcher/vm/qemu_process.h"

namespace tapgate {

namespace {

std::string record_path(const VmName& name) {
    return vm_directory(name) + "/vm.json";
}

// The process that holds the fcntl lock that QEMU puts on its pidfile (qemu_write_pidfile() in
// util/oslib-posix.c); 0 when nobody does.
pid_t holder_of_pidfile(const std::string& path) {
    const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd)
        return 0;
    struct flock lock {};
    lock.l_type = F_RDLCK;
    lock.l_whence = SEEK_SET;
    if (fcntl(fd.get(), F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK)
        return 0;
    if (lock.l_pid > 0)
        return lock.l_pid;
    // The lock is an open file description lock, which has no process: QEMU has written its number.
    return parse_whole<pid_t>(first_word(path), 0).value_or(0);
}

// Makes the file if it does not exist, and locks it; none when another process has locked it.
UniqueFd locked_file(const std::string& path) {
    for (;;) {
        UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
        if (!fd)
            fail_with_errno(shown(path));
        if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
            if (errno != EWOULDBLOCK)
                fail_with_errno(shown(path));
            return {};
        }
        // Whoever had it before may have removed it.
        if (is_same_file(fd.get(), path))
            return fd;
    }
}

// A VM has a lock only in the runtime directory where it was used last. So where it has none,
// somebody may have removed it.
void remove_other_locks(const VmName& name, const std::string& directory) {
    std::vector<std::string> directories = other_runtime_directories();
    directories.push_back(runtime_directory());
    for (const std::string& other : directories) {
        const std::string lock = other + "/" + name.str() + "/lock";
        if (other + "/" + name.str() == directory || !exists(lock))
            continue;
        const UniqueFd fd(open(lock.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
        if (fd && flock(fd.get(), LOCK_EX | LOCK_NB) == 0 && is_same_file(fd.get(), lock))
            unlink(lock.c_str());
    }
}

// Why nothing can be done with a VM that is lost, and the ways to its end.
std::string lost_text(const QemuProcess& qemu) {
    return qemu.vm + " runs (QEMU's process is " + std::to_string(qemu.process) +
           "), but out of tapgate's reach: its directory " + shown(qemu.directory) +
           " was removed; shut its guest down from inside, as by ssh, or cut its power: tapgate "
           "kill " +
           qemu.vm;
}

}  // namespace

std::string vm_directory(const VmName& name) {
    std::string usual = runtime_directory() + "/" + name.str();
    // A VM that was started in another environment has its directory there.
    if (!is_locked(usual + "/lock") && holder_of_pidfile(usual + "/qemu.pid") == 0) {
        for (const std::string& other : other_runtime_directories()) {
            std::string directory = other + "/" + name.str();
            if (is_locked(directory + "/lock") || holder_of_pidfile(directory + "/qemu.pid") != 0)
                return directory;
        }
    }
    return usual;
}

std::string share_socket(size_t index) {
    return "share" + std::to_string(index) + ".sock";
}

std::string qmp_path(const VmName& name) {
    return vm_directory(name).append("/").append(vm_files::qmp);
}
std::string events_path(const VmName& name) {
    return vm_directory(name).append("/").append(vm_files::events);
}
std::string console_path(const VmName& name) {
    return vm_directory(name).append("/").append(vm_files::console);
}
std::string agent_path(const VmName& name) {
    return vm_directory(name).append("/").append(vm_files::agent);
}

void write_run_record(const VmName& name, const RunRecord& record) {
    nlohmann::json nets = nlohmann::json::array();
    for (const RunNet& net : record.nets)
        nets.push_back(
            {{"bridge", net.bridge}, {"mac", net.mac}, {"tap", net.tap}, {"id", net.id}});
    const nlohmann::json json = {{"supervisor", record.supervisor},
                                 {"started", record.started},
                                 {"qemu", record.qemu},
                                 {"accelerator", record.accelerator},
                                 {"unit", record.unit},
                                 {"nets", nets},
                                 {"words", record.words}};
    replace_file(record_path(name), json_text(json));
}

std::optional<RunRecord> read_run_record(const VmName& name) {
    try {
        const auto text = read_file(record_path(name));
        if (!text)
            return std::nullopt;
        const auto json = nlohmann::json::parse(*text);
        RunRecord record;
        json.at("supervisor").get_to(record.supervisor);
        json.at("started").get_to(record.started);
        json.at("qemu").get_to(record.qemu);
        json.at("accelerator").get_to(record.accelerator);
        json.at("unit").get_to(record.unit);
        json.at("words").get_to(record.words);
        for (const auto& net : json.at("nets"))
            record.nets.push_back({net.at("bridge"), net.at("mac"), net.at("tap"),
                                   net.value("id", "nic" + std::to_string(record.nets.size()))});
        return record;
    } catch (const nlohmann::json::exception&) {
        return std::nullopt;
    } catch (const LauncherError&) {
        return std::nullopt;
    }
}

std::string_view name_of(Life life) {
    switch (life) {
        case Life::off:
            return "off";
        case Life::starting:
            return "starting";
        case Life::running:
            return "running";
        case Life::stopping:
            return "stopping";
        case Life::lost:
            return "lost";
        case Life::crashed:
            return "crashed";
    }
    return "";
}

VmState vm_state(const VmName& name) {
    const std::string directory = vm_directory(name);
    VmState state;
    state.qemu = holder_of_pidfile(directory + "/qemu.pid");
    const bool locked = is_locked(directory + "/lock");
    const auto record = read_run_record(name);
    if (locked && record)
        state.supervisor = record->supervisor;
    if (state.qemu != 0)
        state.life = Life::running;
    else if (locked)
        state.life =
            access((directory + "/qemu.pid").c_str(), F_OK) == 0 ? Life::stopping : Life::starting;
    else if (const auto lost = lost_vm(name))
        state = {.life = Life::lost, .qemu = lost->process};
    else if (record)
        state.life = Life::crashed;
    return state;
}

std::string why_lost(const VmName& name) {
    const auto lost = vm_state(name).life == Life::lost ? lost_vm(name) : std::nullopt;
    return lost ? lost_text(*lost) : std::string();
}

void require_vm(const VmName& name) {
    if (!has_vm_file(name) && access(vm_directory(name).c_str(), F_OK) != 0)
        throw no_such_vm(name);
}

std::string host_of_running(const VmName& name) {
    const std::string own = runtime_base_of_host();
    for (const std::filesystem::path& host : entries_of(own.substr(0, own.rfind('/'))))
        if (host.string() != own &&
            holder_of_pidfile(host.string() + "/tapgate/" + name.str() + "/qemu.pid") != 0)
            return host.filename().string();
    return {};
}

std::string last_runtime_base(const VmName& name) {
    const std::string own = runtime_base_of_host();
    std::string last;
    std::filesystem::file_time_type when;
    for (const std::filesystem::path& host : entries_of(own.substr(0, own.rfind('/')))) {
        std::error_code error;
        const auto time =
            std::filesystem::last_write_time(host / "tapgate" / name.str() / "console.log", error);
        if (error || (!last.empty() && time <= when))
            continue;
        last = host.string();
        when = time;
    }
    return last;
}

std::vector<VmName> vms_with_state() {
    std::vector<std::string> directories = other_runtime_directories();
    directories.push_back(runtime_directory());
    std::set<VmName> names;
    for (const std::string& directory : directories) {
        for (const std::filesystem::path& entry : entries_of(directory)) {
            if (auto name = VmName::parse(entry.filename().string()))
                names.insert(std::move(*name));
        }
    }
    for (const QemuProcess& qemu : lost_vms())
        names.insert(VmName::parse(qemu.vm).value());
    return {names.begin(), names.end()};
}

UniqueFd lock_vm(const VmName& name) {
    const std::string directory = vm_directory(name);
    const std::string lock = directory + "/lock";
    // Where one is, nobody has removed it: only the first start looks through /proc, which takes
    // longer than all else that a start does. (So a VM that was lost under a runtime directory that
    // only its own environment names can be started where it has run before, if no disk keeps that
    // from happening.)
    if (const auto lost = exists(lock) ? std::nullopt : lost_vm(name); lost && !exists(lock))
        throw LauncherError(lost_text(*lost));
    make_private_directory(runtime_directory());
    make_private_directory(directory);
    if (UniqueFd fd = locked_file(lock)) {
        remove_other_locks(name, directory);
        return fd;
    }
    const VmState state = vm_state(name);
    throw LauncherError(
        name.str() +
        (state.qemu != 0
             ? " is running already (QEMU's process is " + std::to_string(state.qemu) +
                   "); its end is: tapgate stop "
             : " is being started, or changed, by another tapgate; see tapgate status ") +
        name.str());
}

UniqueFd lock_vm(const VmName& name, std::chrono::milliseconds limit) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    for (;;) {
        try {
            return lock_vm(name);
        } catch (const LauncherError&) {
            if (std::chrono::steady_clock::now() > deadline || vm_state(name).qemu != 0)
                throw;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
}

UniqueFd lock_console(const VmName& name) {
    if (UniqueFd fd = locked_file(vm_directory(name) + "/console.lock"))
        return fd;
    throw LauncherError("another terminal has the console of " + name.str() +
                        " (tapgate console; Ctrl-] leaves it)");
}

void clear_vm_directory(const VmName& name) {
    for (const std::string_view file :
         {std::string_view("vm.json"), std::string_view("console.lock"), vm_files::pid,
          vm_files::qmp, vm_files::events, vm_files::console, vm_files::agent, vm_files::vnc})
        unlink(vm_directory(name).append("/").append(file).c_str());
}

}  // namespace tapgate
