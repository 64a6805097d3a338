// SPDX-License-Identifier: GPL-2.0-or-later
//
// Follows a shell script from its first line to its last, as a shell would, but runs nothing. What
// the text alone decides is decided: tests of variables, functions at their calls, lists for loops.
// Where it does not decide, the variables that are set there become unknown.
//
// A function is read where it is called. There are limits on how deeply scripts are nested, on how
// many functions and rounds of loops are read, and on the size of variables.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "launcher/foreign/shell/command.h"
#include "launcher/foreign/shell/defined_functions.h"
#include "launcher/foreign/shell/flow.h"
#include "launcher/foreign/shell/output.h"
#include "launcher/foreign/shell/variables.h"
#include "launcher/foreign/shell/word.h"

namespace tapgate {

class ShellReader {
  public:
    /// What all readers of one script share.
    struct Script {
        ShellReading reading;
        ShellFunctions functions = {};
        unsigned rounds = 0;   ///< of loops, and calls of functions, so far
        bool is_left = false;  ///< by `exit' or `exec'
        bool is_open = false;  ///< something unknown may have set any variable
        unsigned failed = 0;   ///< the line where `set -e' ends the script
        unsigned left = 0;     ///< the line where `exit' surely ends it
        bool is_left_before_qemu = false;
        /// Tests that decided about something, and what is not reached: starts of QEMU, options.
        std::vector<std::pair<std::string, bool>> tests = {};
        std::vector<std::string> others = {};
        /// Where `exit' ends the script on this host only, or without arguments: "exit 1 (line 5)".
        std::vector<std::string> ends = {};
        std::set<std::string> reached = {};  ///< options that are reached, in the words of `others'
        std::optional<ShellStatus> printed_status = {};  ///< of a command in $(...)
        std::vector<MadeImage> images = {};              ///< those that it makes, reached or not
        std::string_view text = {};                      ///< the whole script
        /// For `getopts': the argument that it is reading, and how much of it has been read.
        struct Options {
            size_t argument = 1;
            size_t read = 0;
        };
        Options options = {};
    };

    /// What a function prints, if it is called for its output.
    struct Printed {
        std::string text;
        bool known = true;
    };

    /// `line` is the number of the first line; `nesting` is how many scripts this one is a word of.
    ShellReader(std::string_view text, ShellVariables& variables, Script& script, unsigned line,
                unsigned nesting)
        : variables_(variables),
          words_(text, variables_, line),
          script_(script),
          nesting_(nesting) {}

    std::vector<ShellCommand> read();

  private:
    static constexpr unsigned deepest_call = 12;

    [[nodiscard]] char peek(size_t ahead = 0) const { return words_.peek(ahead); }
    char next() { return words_.next(); }
    [[nodiscard]] Truth reach() const {
        return follows() ? flow_.reach() : std::max(flow_.reach(), Truth::unknown);
    }
    [[nodiscard]] bool follows() const { return script_.reading != ShellReading::flat; }

    // A here-document that begins in this line.
    struct Document {
        std::string end;
        bool expands;       // variables in it are expanded
        bool is_a_script;   // it goes into a file, or to a shell
        bool is_written;    // it goes into a file
        bool without_tabs;  // it begins with `<<-'
    };

    // Characters and words.
    void read_part();
    void read_operator(char c);
    void read_regular();
    void read_pipe();
    bool split_test(bool otherwise);
    void end_test();
    void read_redirection(std::string redirection);
    void read_word();
    bool read_keyword();
    void open_block(std::string_view keyword);
    void go_on_in_block(std::string_view keyword);
    void open_tested_loop(bool inverted);
    void read_case();
    void read_for(bool asks);
    ShellStatus read_sums(ShellLoop& loop);
    ShellStatus read_list(ShellLoop& loop, bool asks);
    std::vector<std::string> read_values();
    void read_named_function();
    void read_function(const std::string& name);
    void read_patterns();
    void read_sum();
    void begin_word();
    void begin_element();
    void end_element(bool background);
    void end_list();
    std::optional<unsigned> end_failed_subshell();
    void skip_line();
    void skip_blanks(bool lines);
    void add_problem(const ShellProblem& problem);
    void take_problem();
    [[nodiscard]] bool is_in_test() const;

    // Assignments.
    bool read_assignment();
    std::vector<std::string> read_assigned();
    void read_array(const std::string& name, bool append);
    void end_array();
    void assign_all();
    void read_map(const std::string& name, bool append);
    void set_in_map(const std::string& name, std::string_view key, bool append);
    [[nodiscard]] bool makes_maps() const;
    [[nodiscard]] bool declares(char letter) const;
    void set(const std::string& name, std::vector<std::string> words, bool array, bool append);
    void set_element(const std::string& name, std::string_view element, bool append);
    void declare();
    void declare_references();
    [[nodiscard]] std::optional<std::string> summed(const std::string& name,
                                                    const std::vector<std::string>& words,
                                                    bool append);
    [[nodiscard]] bool is_local() const;
    void assign(const std::string& name, const std::string& value, bool append);

    // Ends of commands.
    void mark_documents(const std::vector<std::string>& words, bool to_file);
    void finish();
    void drop_command();
    [[nodiscard]] std::string written() const;
    void finish_command();
    void finish_assignments();
    void pass_over_command();
    void run_command();
    void run_program();
    ShellStatus status_of_command();
    void cut_off();
    void record();
    void note_tests();
    void note_image();
    /// Adds `what` to the others, since it is not reached.
    void pass_over(const std::string& what);
    /// Removes `what` from the others, since it is reached.
    void come_to(const std::string& what);
    void leave();
    void leave_function();
    ShellStatus next_option();
    void shift();
    void change_directory();
    void change_variables();
    bool take_input();
    bool read_line(const std::string& text);
    bool read_lines(const std::string& text);
    void read_process();
    void assign_formatted(const std::string& name, std::vector<std::string> words);
    void set_arguments();
    void set_options();
    void leave_subshell();
    void read_eval();
    void run_with_environment(const std::string& text);
    void run(const std::string& text, unsigned line, Truth most = Truth::yes);
    std::optional<bool> apply_sum(std::string_view text);
    void apply(const SumStatus& sum, const std::string& program);
    void end_loop();
    [[nodiscard]] size_t count_of_arguments() const;
    void call(const ShellFunction& function);
    std::optional<ShellVariables::Value> printed_by(const std::vector<std::string>& words);
    std::optional<ShellVariables::Value> printed_by_list(const std::string& text, unsigned line);
    ShellVariables::Value printed_in_subshell(const std::string& text, unsigned line);
    void read_output(const std::string& text, unsigned line);
    void print();
    [[nodiscard]] bool is_absent(const std::string& name) const;
    void count_round();
    void read_nested();
    [[nodiscard]] std::optional<ShellVariables::Value> arguments_behind(size_t name) const;
    [[nodiscard]] ShellVariables::Value name_behind(size_t name) const;
    void read_in_shell(const std::string& text, std::optional<ShellVariables::Value> arguments,
                       unsigned line, bool written, std::optional<ShellVariables::Value> name = {});
    void read_nested(const std::string& text, Script& script, unsigned line, bool written);
    void read_documents();
    std::string take_document(const Document& document);
    std::optional<std::string> text_ahead(const Document& document);
    void take_over(std::vector<ShellCommand> commands, bool written);

    struct Assignment {
        std::string name;
        std::string value;
        bool append;
    };

    ShellVariables& variables_;
    ShellWordReader words_;
    Script& script_;
    unsigned nesting_;
    ShellFlow flow_;
    std::vector<ShellCommand> commands_;
    size_t last_start_ = static_cast<size_t>(-1);  // the last start of QEMU, among them
    bool ended_by_exec_ = false;  // that start is behind `exec', so nothing below it is run
    ShellCommand command_;
    std::optional<ShellStatus> called_;    // the status of the function that command_ calls
    std::optional<ShellStatus> returned_;  // how this function ended, by `return'
    bool unsure_ = false;                  // whether its `return' is reached is unknown
    std::optional<size_t> unsure_from_;    // where that is; see ShellVariables::mark()
    Printed* printed_ = nullptr;           // for the function that is read here to get its output
    bool is_part_ = false;                 // a function's body, for another reader
    std::vector<Assignment> assignments_;
    std::vector<Document> documents_;
    std::optional<std::string> input_;  // what command_ reads, if that is known
    size_t documents_before_ = 0;       // those of other commands
    bool started_ = false;              // command_ has a word
    bool shown_ = false;                // command_ is piped to what only shows it: `| tee log'
    bool inverted_ = false;             // after `!'
    bool goes_on_ = false;              // after `&&', `||' or `|', where a line's end ends nothing
    bool test_goes_on_ = false;         // in `[[ a && b ]]'
    unsigned brackets_ = 0;             // around this part of the test
    std::string_view test_;             // from the test's beginning on
    unsigned test_line_ = 0;
    std::string directory_;
    // What was there before a subshell.
    struct Subshell {
        std::string directory;
        size_t mark;       // see ShellVariables
        size_t functions;  // see ShellFunctions
    };
    std::vector<Subshell> subshells_;
    std::vector<std::string> notes_;  // about variables, for the commands that follow
    std::string_view written_;        // from the beginning of the command on
};

}  // namespace tapgate
