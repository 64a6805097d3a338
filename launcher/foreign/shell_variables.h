// SPDX-License-Identifier: GPL-2.0-or-later
//
// The variables of a shell script, as far as they can be known without running it.
#ifndef TAPGATE_LAUNCHER_FOREIGN_SHELL_VARIABLES_H
#define TAPGATE_LAUNCHER_FOREIGN_SHELL_VARIABLES_H

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tapgate {

class ShellVariables {
  public:
    struct Value {
        std::vector<std::string> words;  ///< one, but for arrays
        std::string problem;             ///< why only a shell would know it; empty: it is known
    };

    /// `lookup`, getenv() or a test's, is asked for HOME, USER, PWD, "~NAME" (a user's home),
    /// "dirname $0" (where the script is) and "nproc" (how many CPUs the host has) only.
    explicit ShellVariables(const std::function<const char*(const std::string&)>& lookup)
        : lookup_(lookup) {}

    /// Sets it, or adds to it (`NAME+=`). `problem`: why its value is not known. `conditional`:
    /// under an `if' or behind `&&', so that nobody knows whether.
    void set(const std::string& name, std::vector<std::string> words, bool array, bool append,
             const std::string& problem, bool conditional);

    [[nodiscard]] bool is_set(const std::string& name) const;

    /// The value; one with a problem where there is none. Throws a LauncherError when all that has
    /// been expanded comes to more than a description can have.
    Value get(const std::string& name);

    /// What `lookup` has for the word; a Value with the problem `otherwise` when that is nothing.
    Value ask(const std::string& word, const std::string& otherwise);

  private:
    void charge(size_t bytes);

    const std::function<const char*(const std::string&)>& lookup_;
    std::map<std::string, Value> values_;
    size_t spent_ = 0;
};

/// How many bytes at the beginning of `text` are a variable's name.
size_t shell_name_length(std::string_view text);

}  // namespace tapgate

#endif
