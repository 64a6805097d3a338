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

/// A failure that ends a script under `set -e', unless it turns out to be part of a test.
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
    /// Whether that depends on arguments or files.
    [[nodiscard]] bool soft() const;
    /// Whether that depends on files.
    [[nodiscard]] bool by_files() const;

    void ended(const ShellStatus& status);
    /// The status of the last command.
    [[nodiscard]] const ShellStatus& status() const { return status_; }
    /// For undo_leavings(), since a subshell only leaves loops, or the script, for itself.
    [[nodiscard]] size_t leavings() const { return leavings_.size(); }
    void undo_leavings(size_t mark);

    /// Has the list that ends here failed in the sense of `set -e'?
    [[nodiscard]] bool has_failed() const;
    void fail(ShellFailure failure);
    [[nodiscard]] const std::optional<ShellFailure>& failure() const { return failure_; }
    [[nodiscard]] size_t depth() const { return blocks_.size(); }
    /// The list with the failure ends here, so nothing in these blocks tests it.
    void settle_failure();
    /// The failure that ended a subshell whose list ends here, and that is its status now.
    std::optional<ShellFailure> failed_subshell();
    /// A failure in blocks that have ended is tested here, and so does not count.
    void forgive();

    /// The next command is run if another one fails.
    [[nodiscard]] bool is_behind_or() const { return behind_or_; }
    /// Sets how the last test is called.
    void name_status(const std::string& text) { status_.text = text; }
    void and_then();   ///< `&&'
    void or_else();    ///< `||'
    void next_list();  ///< `;' or the line's end

    [[nodiscard]] ShellElement& element() { return element_; }

    /// `inverted`: after `!'.
    void open(Kind kind, bool inverted = false);
    void then();
    void otherwise_if();
    void otherwise();
    /// `status`: whether the body is run, as far as the text shows that.
    void open_loop(ShellLoop loop, const ShellStatus& status);
    void enter_loop();
    void begin_round();
    /// `text` is the word that is compared, as written; `known` says whether its value is known.
    void open_choice(const std::string& text, bool known, bool soft);
    /// The value that `case' compares. Only inside one.
    std::string& compared() { return blocks_.back().compared; }
    [[nodiscard]] bool awaits_pattern() const;
    void begin_branch(Truth matches, const std::string& pattern);
    /// `falls': the next branch is run, too (`;&'). `asks': its patterns are tried (`;;&').
    void end_branch(bool falls, bool asks);
    void close(Kind kind);
    [[nodiscard]] bool is_in(Kind kind) const { return !blocks_.empty() && top().kind == kind; }
    /// Ends that many loops (`break 2'); if it `goes_on', only a round of the last one
    /// (`continue').
    void leave_loops(size_t count, bool goes_on);
    void end_round();
    /// Whether this is only read as the round after the last one of a loop, and so is not run.
    [[nodiscard]] bool is_over() const;
    /// Whether a loop's condition has held, and has to be evaluated again. If it is no test (`while
    /// true'), only if the round has `shifted' arguments away, so that the loop comes to an end.
    [[nodiscard]] bool asks_again(bool shifted) const;
    /// Whether it is unknown how many rounds the innermost loop, which ends here, has had.
    [[nodiscard]] bool is_uncounted() const;
    /// That of the loop; see ShellElement.
    [[nodiscard]] size_t loop_mark() const { return top().element.mark; }
    ShellLoop* loop() { return is_in(Kind::loop) ? &blocks_.back().loop : nullptr; }
    /// Between `while' and `do'.
    [[nodiscard]] bool is_in_condition() const {
        return is_in(Kind::loop) && top().loop.tested && !top().entered;
    }
    /// Whether the innermost loop has been left.
    [[nodiscard]] bool is_left() const { return top().left != Truth::no; }
    /// Ends the innermost subshell; false if there is none.
    bool leave_subshell();
    /// Ends the script.
    void leave();
    [[nodiscard]] bool is_gone() const { return gone_; }

    /// Everything is only reached as far as this says.
    void start_with(Truth reach, bool soft);

    /// The tests that decide about the next command, and whether they held.
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
    // What undo_leavings() restores, for a block or the whole script.
    struct Leaving {
        std::optional<size_t> block;
        Truth left = Truth::no;
        Truth skipped = Truth::no;
    };
    std::vector<Leaving> leavings_;
    std::optional<ShellFailure> failure_;
};

}  // namespace tapgate
