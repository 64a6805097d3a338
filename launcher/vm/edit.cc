// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/vm/edit.h"

#include <unistd.h>

#include <cstdlib>
#include <sstream>
#include <utility>

#include "launcher/base/child_process.h"
#include "launcher/base/error.h"
#include "launcher/base/files.h"
#include "launcher/base/output.h"
#include "launcher/base/program.h"
#include "launcher/base/question.h"
#include "launcher/base/text.h"
#include "launcher/base/unfinished_file.h"
#include "launcher/vm/description.h"
#include "launcher/vm/file.h"
#include "launcher/vm/file_text.h"
#include "launcher/vm/state.h"

namespace tapgate {

namespace {

// The copy that is edited. It is beside the file, since relative paths start there, and has the
// same ending, which tells editors the kind of file. Its name is not a VM's. The destructor removes
// it.
class Copy {
  public:
    Copy(const std::string& path, std::string_view text) {
        const size_t name = path.rfind('/') + 1;
        path_ = path.substr(0, name) + "." + std::to_string(getpid()) + "." + path.substr(name);
        write_new_file(path_, text, shown(path_) + ": exists; remove it");
    }
    ~Copy() {
        if (!path_.empty())
            unlink(path_.c_str());
    }
    Copy(const Copy&) = delete;
    Copy& operator=(const Copy&) = delete;

    [[nodiscard]] const std::string& path() const { return path_; }
    [[nodiscard]] std::string text() const { return read_file(path_).value_or(""); }
    /// Keeps the copy, and returns its path.
    std::string keep() { return std::exchange(path_, {}); }

  private:
    std::string path_;
};

// Why the text does not describe a VM; empty when it does.
std::string what_is_wrong(const VmName& name, const std::string& path, std::string_view text) {
    try {
        describe_vm(name, parse_vm_file(path, text));
        return {};
    } catch (const LauncherError& error) {
        return error.what();
    }
}

}  // namespace

std::vector<std::string> editor_words() {
    for (const char* const variable : {"VISUAL", "EDITOR"}) {
        const char* const value = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe)
        std::istringstream words(value == nullptr ? "" : value);
        std::vector<std::string> result;
        for (std::string word; words >> word;)
            result.push_back(word);
        if (!result.empty())
            return result;
    }
    for (const char* const usual : {"sensible-editor", "editor", "nano", "vim", "vi"}) {
        if (find_program(usual))
            return {usual};
    }
    throw LauncherError("no editor: set EDITOR to the one you like");
}

void edit_vm_file(const VmName& name) {
    const std::string path = vm_file_path(name);
    const auto before = read_file(path);
    if (!before)
        throw no_such_vm(name);
    std::vector<std::string> words = editor_words();
    Copy copy(path, *before);
    words.push_back(copy.path());
    for (;;) {
        if (const int code = run_at_terminal(words); code != 0)
            throw LauncherError("the editor " + quoted_word(words[0]) + " ended with exit code " +
                                std::to_string(code) + "; nothing was changed");
        const std::string wrong = what_is_wrong(name, path, copy.text());
        if (wrong.empty())
            break;
        if (!can_ask())
            throw LauncherError(wrong + "\nnothing was changed");
        note(wrong);
        if (!agreed("Edit it again (otherwise nothing is changed)"))
            throw LauncherError("nothing was changed");
    }
    const std::string after = copy.text();
    // From here on: the text describes a VM.
    if (after == *before) {
        note("nothing was changed");
        return;
    }
    if (!replace_vm_file(name, *before, after))
        throw LauncherError(shown(path) + " was changed meanwhile; your version is in " +
                            shown(copy.keep()));
    if (vm_state(name).qemu != 0)
        note(name.str() + " is running; the change counts from its next start on");
}

}  // namespace tapgate
