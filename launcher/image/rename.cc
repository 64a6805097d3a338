// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/image/rename.h"

#include <unistd.h>

#include <cstdio>

#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/stop_signals.h"
#include "launcher/base/text.h"
#include "launcher/base/unfinished_file.h"
#include "launcher/image/base_image.h"
#include "launcher/image/lock.h"
#include "launcher/vm/data_directory.h"
#include "launcher/vm/description.h"
#include "launcher/vm/file.h"
#include "launcher/vm/file_text.h"
#include "launcher/vm/known_hosts.h"
#include "launcher/vm/state.h"

namespace tapgate {

namespace {

std::string directory_of(const VmName& name) {
    return vm_data_directory(name) + "/";
}

void replace_all(std::string& text, const std::string& what, const std::string& by) {
    for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
        text.replace(at, what.size(), by);
}

// Gives the host key that ssh has learnt the VM's new name. Throws a LauncherError.
void rename_known_host(const VmName& from, const VmName& to) {
    const std::string path = known_hosts_path(to);
    auto text = read_file(path);
    if (!text)
        return;
    *text = "\n" + *text;
    replace_all(*text, "\n" + from.str() + " ", "\n" + to.str() + " ");
    replace_file(path, std::string_view(*text).substr(1));
}

}  // namespace

std::string renamed_text(const std::string& text, const VmName& from, const VmName& to,
                         const Owner& owner) {
    const VmSpec spec = describe_vm(from, parse_vm_file(vm_file_path(from), text)).spec;
    std::string result;
    size_t net = 0;
    for (std::string_view rest = without_byte_order_mark(text); !rest.empty();) {
        const std::string_view whole = rest.substr(0, rest.find('\n'));
        rest.remove_prefix(std::min(whole.size() + 1, rest.size()));
        // Without blanks at its end, since more is appended.
        std::string line(whole.substr(0, whole.find_last_not_of(blanks) + 1));
        const std::string content(trimmed(line));
        // The lab knows its VMs by their names, so this one becomes the user's own.
        if (content.starts_with(lab_mark_words))
            continue;
        if (content == "# The VM " + from.str() + " of tapgate(1)")
            replace_all(line, " " + from.str() + " ", " " + to.str() + " ");
        else if (!content.starts_with('#') && !content.starts_with(';'))
            replace_all(line, commas_doubled(directory_of(from)), commas_doubled(directory_of(to)));
        if (trimmed(std::string_view(content).substr(0, content.find('='))) == "net" &&
            net < spec.nets.size()) {
            if (!spec.nets[net].mac)
                line += ",mac=" + stable_mac(owner, from, static_cast<unsigned>(net)).str();
            net++;
        }
        result += line + "\n";
    }
    // The adapter that a VM has by default.
    if (net == 0 && spec.nets.size() == 1 && !spec.nets[0].mac) {
        if (const auto* const bridged = std::get_if<BridgeNet>(&spec.nets[0].link))
            result += "net = bridge:" + bridged->bridge.str() +
                      ",mac=" + stable_mac(owner, from, 0).str() + "\n";
    }
    return result;
}

std::vector<std::string> rename_vm(const VmName& from, const VmName& to, const Owner& owner) {
    const std::string path = vm_file_path(from);
    const auto before = read_file(path);
    if (!before)
        throw no_such_vm(from);
    if (to == from)
        throw LauncherError(from.str() + " is called that already");
    require_new(to);
    if (exists(directory_of(to)))
        throw LauncherError(shown(directory_of(to)) +
                            " holds what is left of an earlier VM of this name; take another name, "
                            "or remove it with: tapgate delete --disks " +
                            to.str());
    // A VM with half of its parts under each name would be of no use.
    const HeldSignals signals;
    const UniqueFd lock = lock_vm(from);
    // From here on: nobody can start it.
    std::vector<HeldImage> held;
    for (const auto& entry : entries_of(directory_of(from))) {
        refuse_base(entry.string(), "delete them first, or leave the name as it is");
        held.emplace_back(entry.string(), HeldImage::For::ending);
    }
    refuse_cloned(from, "delete them first, or leave the name as it is");
    // From here on: it does not run on another host either.
    const std::string text = renamed_text(*before, from, to, owner);
    const std::string old_directory = vm_data_directory(from);
    const std::string new_directory = vm_data_directory(to);
    const bool has_directory = exists(old_directory);
    if (has_directory && rename(old_directory.c_str(), new_directory.c_str()) != 0)
        fail_with_errno(shown(new_directory));
    std::error_code ignored;
    UniqueFd other_lock;
    try {
        describe_vm(to, parse_vm_file(vm_file_path(to), text));
        other_lock = lock_vm(to);
        write_new_file(vm_file_path(to), text, shown(vm_file_path(to)) + " is there already");
    } catch (...) {
        if (has_directory)
            static_cast<void>(rename(new_directory.c_str(), old_directory.c_str()));
        // The directory was only made for its lock: there is no such VM.
        if (other_lock)
            std::filesystem::remove_all(vm_directory(to), ignored);
        throw;
    }
    // From here on: the VM has the new name, and what is left of the old one must go.
    if (unlink(path.c_str()) != 0)
        fail_with_errno(shown(path));
    std::vector<std::string> notes = {
        "it keeps its MAC addresses; its UUID, which some guests tell machines by, is another"};
    try {
        rename_known_host(from, to);
    } catch (const LauncherError& error) {
        notes.push_back(std::string("ssh does not know its guest's key any more: ") + error.what());
    }
    unlink(pattern_known_hosts_path(from).c_str());
    std::filesystem::remove_all(vm_directory(from), ignored);
    return notes;
}

}  // namespace tapgate
