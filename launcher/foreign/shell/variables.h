// SPDX-License-Identifier: GPL-2.0-or-later
//
// The variables of a shell script, as far as they can be known without running it.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "launcher/foreign/shell/problem.h"
#include "launcher/foreign/shell/surroundings.h"
#include "launcher/foreign/shell/truth.h"

namespace tapgate {

/// Replaces text that only the shell knew that ran the script: the output of a command, a process
/// number, a random number. Whoever needs that text has to give up.
inline constexpr std::string_view unknown_text = "$(...)";

/// Whether the word, or one of the words, contains it.
bool is_unknown(std::string_view word);
bool is_unknown(const std::vector<std::string>& words);

class ShellVariables {
  public:
    /// What stays if another value is assigned.
    struct Attributes {
        Truth exported = Truth::no;  ///< other shells have it, too
        bool read_only = false;      ///< possibly
        char kind = '\0';            ///< the letter of `declare -i', `-l', `-u' or `-n'
        std::string refers = {};     ///< the variable that it stands for (`declare -n')
    };
    struct Value {
        std::vector<std::string> words;  ///< one, except for arrays
        ShellProblem problem = {};       ///< why only a shell knows it
        std::string name = {};           ///< of a variable that is unknown
        Attributes attributes = {};
    };

    explicit ShellVariables(const Surroundings& surroundings) : surroundings_(surroundings) {}

    /// Sets the variable, or adds to it (`NAME+=`). `value.problem` is why its value is unknown.
    /// `conditional`: under an `if' or after `&&', so that it is unknown whether it is set.
    void set(const std::string& called, Value value, bool array, bool append, bool conditional);

    /// What a function of the script prints if it is called with these words: its name and
    /// arguments. unknown_text if only running it would show that; nothing if there is no such
    /// function.
    using Printed = std::function<std::optional<Value>(const std::vector<std::string>& words)>;
    /// Gets a command whose output is a part of a word, if it may start QEMU.
    using Started = std::function<void(const std::string& text, unsigned line)>;
    /// What a list of commands in $(...) prints: `if a; then echo b; fi'.
    using ListPrinted = std::function<std::optional<Value>(const std::string& text, unsigned line)>;
    /// While this lives, printed_by(), start() and printed_by_list() use these functions.
    class PrintedBy {
      public:
        PrintedBy(ShellVariables& variables, Printed printed, Started started = {},
                  ListPrinted list = {})
            : variables_(variables),
              before_(std::exchange(variables.printed_, std::move(printed))),
              started_before_(std::exchange(variables.started_, std::move(started))),
              list_before_(std::exchange(variables.list_, std::move(list))) {}
        ~PrintedBy() {
            variables_.printed_ = std::move(before_);
            variables_.started_ = std::move(started_before_);
            variables_.list_ = std::move(list_before_);
        }
        PrintedBy(const PrintedBy&) = delete;
        PrintedBy& operator=(const PrintedBy&) = delete;

      private:
        ShellVariables& variables_;
        Printed before_;
        Started started_before_;
        ListPrinted list_before_;
    };
    [[nodiscard]] std::optional<Value> printed_by(const std::vector<std::string>& words) const {
        return printed_ ? printed_(words) : std::nullopt;
    }
    [[nodiscard]] std::optional<Value> printed_by_list(const std::string& text,
                                                       unsigned line) const {
        return list_ ? list_(text, line) : std::nullopt;
    }
    void start(const std::string& text, unsigned line) const {
        if (started_)
            started_(text, line);
    }

    /// Whether what is read now is run, perhaps or surely: for assign().
    void set_reached(bool perhaps, bool surely) {
        reached_ = perhaps;
        surely_ = surely;
    }
    /// Something unknown, such as a file that the script reads, may have set any variable.
    void set_open(bool open) { is_open_ = open; }
    [[nodiscard]] bool is_open() const { return is_open_; }
    /// Sets it as a part of a word does (`${NAME:=value}`), as far as that is run.
    void assign(const std::string& name, Value value, bool array = false);

    /// Makes it an associative array (`declare -A`), without elements.
    void make_map(const std::string& name);
    [[nodiscard]] bool is_map(const std::string& name) const;
    /// The name of the variable that has an element's value: "NAME[KEY]".
    static std::string element_of(const std::string& name, const std::string& key) {
        return name + "[" + key + "]";
    }
    void add_key(const std::string& name, const std::string& key, bool conditional);
    /// All of them, in no particular order.
    Value keys(const std::string& called);
    Value get_element(const std::string& called, const std::string& key);

    [[nodiscard]] bool is_set(const std::string& name) const;

    /// The variable that NAME means: itself, except after `declare -n NAME=OTHER'.
    [[nodiscard]] std::string meant(const std::string& name) const;
    void make_reference(const std::string& name, const std::string& to);
    /// The letter of `declare' that makes it more than a text; '\0' if there is none.
    [[nodiscard]] char kind(const std::string& name) const;
    void set_kind(const std::string& name, char kind);
    void make_read_only(const std::string& name);
    void mark_exported(const std::string& name, Truth exported);

    /// The shell's own options (`set -e'), by their letters.
    [[nodiscard]] Truth option(char letter) const;
    void set_option(char letter, bool on, bool conditional);

    /// The value, or one with a problem if there is none. Throws a LauncherError if everything that
    /// has been expanded is more than a description can have.
    Value get(const std::string& name);

    [[nodiscard]] const Surroundings& surroundings() const { return surroundings_; }
    /// An answer of theirs as a value; if there is none, one with the problem `otherwise`.
    Value told(const std::optional<std::string>& answer, const ShellProblem& otherwise);

    /// Notes that unknown_text somewhere stands for the variable.
    void note_unknown(const std::string& name);
    [[nodiscard]] const std::vector<std::string>& unknown() const { return unknown_; }
    /// Notes that a command, as written, was replaced by what it prints on this host.
    void note_of_host(const std::string& command, const std::string& printed) {
        of_host_[command] = printed;
    }
    [[nodiscard]] const std::map<std::string, std::string>& of_host() const { return of_host_; }

    /// "$0": the script's path, or what was given to the shell that read it.
    Value script_name();
    void set_script_name(Value name) { restore("0", std::move(name)); }

    /// "$1" and the like, and "#", which is their number. The script's own are unknown.
    [[nodiscard]] Value argument(const std::string& name) const;
    /// All of them, if they are known, as in a function of the script.
    [[nodiscard]] const Value* arguments() const { return arguments_ ? &*arguments_ : nullptr; }
    /// Begins a function with its arguments.
    void enter(Value arguments);
    [[nodiscard]] bool is_in_function() const { return !hidden_.empty(); }
    /// Ends the function, and restores what it has hidden.
    void leave();
    /// Makes it a variable of the current function, without a value (`local'). Outside of functions
    /// it stays the script's.
    void hide(const std::string& name);
    /// Removes the first ones (`shift 2`).
    void shift(size_t count);
    /// Replaces them (`set --`).
    void set_arguments(Value arguments);
    /// From here on the value is unknown, since it is `why`: "read by `read'". `soft`: it is empty
    /// if nobody types anything.
    void forget(const std::string& name, const std::string& why, bool soft = false) {
        set(name, {{}, ShellProblem{why, soft}.of_variable(name)}, false, false, false);
    }
    /// Makes it unset (`unset`).
    void unset(const std::string& called);
    /// What has been set; nothing if it has not. Its problem is only the reason.
    [[nodiscard]] std::optional<Value> saved(const std::string& name) const;
    /// Sets it to that again.
    void restore(const std::string& name, std::optional<Value> value);

    /// Notes that the script sets it somewhere, so that the environment does not matter.
    void own(const std::string& name) { owned_.insert(name); }
    [[nodiscard]] bool is_owned(const std::string& name) const { return owned_.contains(name); }

    /// For undo_to(), since what a subshell changes is undone when it ends.
    [[nodiscard]] size_t mark() const { return journal_.size(); }
    void undo_to(size_t mark);
    [[nodiscard]] std::set<std::string> changed_since(size_t mark) const;
    /// Begins another shell, which has the exported variables, or none; undo_to() ends it.
    void enter_shell(bool exports, std::optional<Value> arguments);

    /// Counts bytes that have been expanded. Throws a LauncherError, like get().
    void charge(size_t bytes);

  private:
    const Surroundings& surroundings_;
    std::optional<Value> replace_arguments(std::optional<Value> arguments);
    // To be called before the value changes.
    void note(const std::string& name);
    // Like `saved', but for a variable that refers to another, it is about itself.
    [[nodiscard]] std::optional<Value> stored(const std::string& name) const;
    Attributes& attributes_of(const std::string& name);

    // What undo_to() restores.
    struct Change {
        std::string name;  // "@" for the arguments
        std::optional<Value> before;
        size_t hides = 0;  // the depth of the function that hides it
    };

    std::map<std::string, Value> values_;
    std::set<std::string> owned_;
    std::optional<Value> arguments_;
    // For the functions that have begun.
    std::vector<std::optional<Value>> callers_;
    std::vector<std::map<std::string, std::optional<Value>>> hidden_;
    std::vector<Change> journal_;
    std::vector<std::string> unknown_;
    std::map<std::string, std::string> of_host_;
    Printed printed_;
    Started started_;
    ListPrinted list_;
    size_t spent_ = 0;
    bool reached_ = true;
    bool surely_ = true;
    bool is_open_ = false;
};

/// The length in bytes of the variable's name at the beginning of `text`.
size_t shell_name_length(std::string_view text);

}  // namespace tapgate
