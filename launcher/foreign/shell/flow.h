// SPDX-License-Identifier: GPL-2.0-or-later
//
// Which commands of a shell script are run, as far as its text tells: `if', `case', loops, `&&'.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "launcher/foreign/shell/truth.h"

namespace tapgate {

/// How a command ended.
struct ShellStatus {
    Truth truth = Truth::unknown;
    /// Decided by the script's arguments, which are taken as none, or by files of this host.
    bool soft = false;
    bool files = false;     ///< decided by files
    std::string text;       ///< the test as written; empty if it is none
    bool inverted = false;  ///< after `!'
};

/// Where a loop begins again.
struct ShellLoop {
    std::string variable;
    std::vector<std::string> values;  ///< those that are still to come
    size_t place = 0;
    unsigned line = 1;
    bool tested = false;    ///< it is `while' or `until'
    bool inverted = false;  ///< it is `until'
    size_t arguments = 0;   ///< how many there were at the beginning of this round
    std::string condition;  ///< in ((...; ...; ...))
    std::string step;       ///< also there; empty in other loops
    bool counted = false;   ///< it goes through `values'; otherwise the number of rounds is unknown
};

// A command of a list, with everything it is piped to.
struct ShellElement {
    bool begun = false;
    bool piped = false;
    // Its beginning:
    size_t mark = 0;       ///< see ShellVariables
    size_t functions = 0;  ///< see ShellFunctions
    size_t leavings = 0;   ///< see ShellFlow::leavings()
    std::string directory = {};
};

/// What ends a script under `set -e', unless what it is a part of turns out to be tested.
struct ShellFailure {
    unsigned line = 0;
    size_t depth = 0;                     ///< the number of blocks around it
    size_t commands = 0;                  ///< how many were found before it
    std::optional<size_t> subshell = {};  ///< the innermost around it, as in ShellFlow::subshell()
};

class ShellFlow {
  public:
    enum class Kind { condition, loop, choice, group, subshell };

    /// Whether the next command is run.
    [[nodiscard]] Truth reach() const;
    /// Whether arguments or files have a say in that.
    [[nodiscard]] bool soft() const;
    /// Whether files have a say in that.
    [[nodiscard]] bool by_files() const;

    void ended(const ShellStatus& status);
    /// How the last command ended.
    [[nodiscard]] const ShellStatus& status() const { return status_; }
    /// What has left loops or the script so far, for undo_leavings(): a subshell's own doing.
    [[nodiscard]] size_t leavings() const { return leavings_.size(); }
    void undo_leavings(size_t mark);

    /// Has the list that ends here failed, as `set -e' asks?
    [[nodiscard]] bool has_failed() const;
    void fail(ShellFailure failure);
    [[nodiscard]] const std::optional<ShellFailure>& failure() const { return failure_; }
    [[nodiscard]] size_t depth() const { return blocks_.size(); }
    /// The list that the failure is in ends here, so that nothing tests it in these blocks.
    void settle_failure();
    /// The failure that ended a subshell whose list ends here, and is the subshell's status now.
    std::optional<ShellFailure> failed_subshell();
    /// What has failed in blocks that have ended is tested here.
    void forgive();

    /// The next command is run where another one fails.
    [[nodiscard]] bool is_behind_or() const { return behind_or_; }
    /// The last test is called that.
    void name_status(const std::string& text) { status_.text = text; }
    void and_then();   ///< `&&'
    void or_else();    ///< `||'
    void next_list();  ///< `;' or the line's end

    [[nodiscard]] ShellElement& element() { return element_; }

    /// `inverted`: behind `!'.
    void open(Kind kind, bool inverted = false);
    void then();
    void otherwise_if();
    void otherwise();
    /// `status`: whether its body is run, as its words tell.
    void open_loop(ShellLoop loop, const ShellStatus& status);
    void enter_loop();
    void begin_round();
    /// `text`: the word that is compared, as it was written. `known`: its value is.
    void open_choice(const std::string& text, bool known, bool soft);
    /// The value that `case' compares; only in one.
    std::string& compared() { return blocks_.back().compared; }
    [[nodiscard]] bool awaits_pattern() const;
    void begin_branch(Truth matches, const std::string& pattern);
    /// `falls': the next branch is run as well (`;&'). `asks': its patterns are tried (`;;&').
    void end_branch(bool falls, bool asks);
    void close(Kind kind);
    [[nodiscard]] bool is_in(Kind kind) const { return !blocks_.empty() && top().kind == kind; }
    /// So many loops end here (`break 2'); the last of them only its round, where it `goes_on'
    /// (`continue').
    void leave_loops(size_t count, bool goes_on);
    void end_round();
    /// A loop has had its rounds, and this is what it does not do once more.
    [[nodiscard]] bool is_over() const;
    /// Whether the condition of a loop held, and is to be asked again; that of `while true` only if
    /// the round `shifted` arguments away, so that it comes to an end.
    [[nodiscard]] bool asks_again(bool shifted) const;
    /// Nobody knows after how many rounds the innermost loop, which ends here, has been left.
    [[nodiscard]] bool is_uncounted() const;
    /// See ShellElement; of that loop.
    [[nodiscard]] size_t loop_mark() const { return top().element.mark; }
    ShellLoop* loop() { return is_in(Kind::loop) ? &blocks_.back().loop : nullptr; }
    /// Between `while' and `do'.
    [[nodiscard]] bool is_in_condition() const {
        return is_in(Kind::loop) && top().loop.tested && !top().entered;
    }
    /// The innermost loop has been left.
    [[nodiscard]] bool is_left() const { return top().left != Truth::no; }
    /// The innermost subshell ends here; false: there is none.
    bool leave_subshell();
    /// The script ends here.
    void leave();
    [[nodiscard]] bool is_gone() const { return gone_; }

    /// All of it is reached only as far as that.
    void start_with(Truth reach, bool soft);

    /// The tests that the next command hangs on, and whether they held.
    [[nodiscard]] std::vector<std::pair<std::string, Truth>> tests() const;

  private:
    struct Block {
        Kind kind = Kind::group;
        Truth gate = Truth::yes;  // whether it is reached by what comes before
        ShellStatus gate_status;
        ShellElement element;        // the one that this block is
        Truth past = Truth::no;      // an earlier branch was run
        Truth current = Truth::yes;  // the current branch is run
        Truth left = Truth::no;      // a loop has been left
        bool inverted = false;       // after `!'
        bool asks = false;           // it is being tested, between `if' and `then'
        bool entered = false;        // a loop's body has begun
        bool asked = false;          // what decided last was a test
        bool again = false;          // a loop has had a round already
        Truth skipped = Truth::no;   // the rest of this round is not run
        bool soft = false;
        bool files = false;
        bool known = true;  // in a `case': what is compared is known
        bool awaits_pattern = false;
        Truth past_before = Truth::no;  // in a `case': like `past', without this branch
        Truth falls = Truth::no;        // in a `case': the branch before goes on into this one
        std::vector<std::pair<std::string, Truth>> tests;
        std::string text;
        std::string compared;
        ShellLoop loop;

        [[nodiscard]] Truth reach() const {
            return std::min({gate, current, negated(left), negated(skipped)});
        }
    };

    [[nodiscard]] const Block& top() const { return blocks_.back(); }
    void pass_gate(Truth gate);
    void stop_asking();
    [[nodiscard]] std::optional<size_t> subshell() const;
    [[nodiscard]] bool asks() const;
    static void decide(Block& block, Truth truth, const ShellStatus& status);

    std::vector<Block> blocks_;
    ShellElement element_;
    Truth gate_ = Truth::yes;  // for the next command in a list of `&&' and `||'
    bool behind_or_ = false;
    bool gate_soft_ = false;
    bool gate_files_ = false;
    std::vector<std::pair<std::string, Truth>> gate_tests_;
    ShellStatus status_{Truth::yes, false, false, {}};
    bool gone_ = false;
    // What undo_leavings() puts back: of a block, or of the whole script.
    struct Leaving {
        std::optional<size_t> block;
        Truth left = Truth::no;
        Truth skipped = Truth::no;
    };
    std::vector<Leaving> leavings_;
    std::optional<ShellFailure> failure_;
};

}  // namespace tapgate
