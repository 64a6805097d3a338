// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/shell/qemu_script.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <set>
#include <sstream>

#include "launcher/base/error.h"
#include "launcher/base/text.h"
#include "launcher/foreign/shell/mail.h"
#include "launcher/foreign/shell/other_shells.h"
#include "launcher/foreign/shell/pasted.h"
#include "launcher/foreign/shell/qemu_words.h"
#include "launcher/foreign/shell/quoted_list.h"
#include "launcher/foreign/shell/refusal.h"
#include "launcher/foreign/shell/script.h"
#include "launcher/foreign/shell/specifiers.h"
#include "launcher/foreign/shell/variables.h"
#include "launcher/foreign/translation/translation.h"
#include "launcher/foreign/translation/words.h"

namespace tapgate {

namespace {

constexpr const char* nothing_found = ": there is no QEMU command line in it";
constexpr const char* give_arguments = ", or give the script its arguments after --";

// Its text asks for the script's arguments.
class ArgumentsMissing : public LauncherError {
  public:
    using LauncherError::LauncherError;
};

// Its text says so.
class NothingFound : public LauncherError {
  public:
    using LauncherError::LauncherError;
};

// qemu-kvm-m and qemu-dm, but none of the programs that come with QEMU.
bool is_like_qemu(std::string_view name) {
    constexpr std::array<std::string_view, 6> tools = {
        "qemu-img", "qemu-io", "qemu-nbd", "qemu-ga", "qemu-bridge-helper", "qemu-storage-daemon"};
    return name.starts_with("qemu-") && !is_one_of(name, tools);
}

// Does QEMU stand in the comment, with options: at its beginning, or with its path behind the
// columns of ps(1)?
bool has_start_of_qemu(std::string_view comment) {
    std::istringstream text{std::string(comment)};
    const std::vector<std::string> words{std::istream_iterator<std::string>(text), {}};
    for (size_t i = 0; i + 1 < words.size(); i++) {
        const std::vector<std::string> word = {words[i]};
        if ((i == 0 || word[0].starts_with('/')) && words[i + 1].starts_with('-') &&
            find_qemu(word) != word.end())
            return true;
    }
    return false;
}

// In `# qemu-system-x86_64 ...', `#' is root's prompt to those who copied it, but begins a comment
// to a shell. The line's number; 0 if there is none.
unsigned line_behind_prompt(std::string_view text) {
    for (unsigned line = 1; !text.empty(); line++) {
        const std::string_view whole = text.substr(0, text.find('\n'));
        if (whole.starts_with('#') && !whole.starts_with("#!") &&
            has_start_of_qemu(whole.substr(1)))
            return line;
        text.remove_prefix(std::min(whole.size() + 1, text.size()));
    }
    return 0;
}

// The line that contains QEMU's name, for a text without a command line; 0 if there is none.
unsigned line_with_name(std::string_view text) {
    for (unsigned line = 1; !text.empty(); line++) {
        const std::string_view whole = text.substr(0, text.find('\n'));
        if (!trimmed(whole).starts_with('#') &&
            (whole.find("qemu-system-") != std::string_view::npos ||
             whole.find("qemu-kvm") != std::string_view::npos))
            return line;
        text.remove_prefix(std::min(whole.size() + 1, text.size()));
    }
    return 0;
}

// libvirt sets these before each QEMU that it starts, and logs them.
bool is_of_libvirt(const ShellCommand& command) {
    return std::any_of(command.environment.begin(), command.environment.end(),
                       [](const auto& variable) {
                           return variable.first == "LC_ALL" || variable.first == "QEMU_AUDIO_DRV";
                       }) &&
           std::any_of(command.environment.begin(), command.environment.end(),
                       [](const auto& variable) { return variable.first == "PATH"; });
}

std::string name_of_guest(const ShellCommand& command) {
    const auto name = std::find(command.words.begin(), command.words.end(), "-name");
    if (name == command.words.end() || name + 1 == command.words.end())
        return {};
    const std::string word = (name + 1)->substr(0, (name + 1)->find(','));
    return word.starts_with("guest=") ? word.substr(word.find('=') + 1) : word;
}

// QEMU's arguments may be unknown.
bool starts_qemu(const ShellCommand& command) {
    const auto qemu = find_qemu(command.words);
    const bool bare = qemu != command.words.end() && qemu + 1 == command.words.end() &&
                      (command.problem || !command.absent.empty());
    return bare || is_start_of_qemu(command.words);
}

// The interpreter's name, or make's, if the text is for neither sh nor bash, and would mean
// something else to them.
std::string_view other_language(std::string_view text, std::string_view source) {
    constexpr std::array<std::string_view, 10> others = {"zsh",  "fish", "csh",    "tcsh", "make",
                                                         "perl", "ruby", "expect", "php",  "node"};
    const std::string_view file = last_part(source);
    if ((file.find("akefile") != std::string_view::npos || file.ends_with(".mk")) &&
        (text.find('$') != std::string_view::npos || text.find("\n\t-") != std::string_view::npos ||
         text.find("\n\t@") != std::string_view::npos))
        return "make";
    if (!text.starts_with("#!"))
        return {};
    std::string_view line = text.substr(2, text.find('\n') - 2);
    for (line = trimmed(line); !line.empty(); line = trimmed(line)) {
        const size_t end = std::min(line.find_first_of(" \t\r"), line.size());
        const std::string_view name = last_part(line.substr(0, end));
        if ((name == "fish" || name == "zsh") && is_one_plain_start(text))
            return {};
        if (name == "zsh" && is_zsh_like_sh(text))
            return {};
        if (is_one_of(name, others) || name.starts_with("python"))
            return name;
        line.remove_prefix(end);
    }
    return {};
}

// Are they starts of the same VM, in a log?
bool are_of_one_log(const std::vector<const ShellCommand*>& commands) {
    return std::all_of(commands.begin(), commands.end(), [&](const ShellCommand* one) {
        return is_of_libvirt(*one) && name_of_guest(*one) == name_of_guest(*commands[0]);
    });
}

// Refuses -drive and the like at the beginning of a line, where the start of QEMU was meant to go
// on: a web page or a mail broke the line, or a blank follows a \.
void require_whole(const ShellCommand& command, const std::string& source) {
    if (command.cut_off.empty() || command.is_commented)
        return;
    const std::string& option = command.cut_off[0];
    throw LauncherError(source + ": line " + std::to_string(command.cut_line) + " begins with " +
                        quoted_word(option.substr(0, option.find(' '))) +
                        ", but QEMU's command line ends before that: end each of its lines except "
                        "the last with \\, and no blank after it");
}

// Options without QEMU's name before them; nothing if there is anything else.
std::optional<ShellCommand> options_alone(const std::vector<ShellCommand>& commands) {
    std::optional<ShellCommand> all;
    for (const ShellCommand& command : commands) {
        if (command.words.empty() || !command.words[0].starts_with('-'))
            return std::nullopt;
        if (!all) {
            all = command;
            continue;
        }
        all->words.insert(all->words.end(), command.words.begin(), command.words.end());
        all->problem.add(command.problem);
    }
    if (all)
        all->cut_off.clear();
    return all;
}

// Refuses `q -hda FILE' after an alias q of QEMU: a script's shell has no aliases, and the alias
// alone is only a part of what was meant.
void refuse_calls_of_alias(const std::vector<ShellCommand>& commands, const std::string& source) {
    std::set<std::string> names;
    for (const ShellCommand& command : commands) {
        const auto& words = command.words;
        for (size_t i = 1; i < words.size() && words[0] == "alias"; i++) {
            const size_t equals = std::min(words[i].find('='), words[i].size());
            std::istringstream text(words[i].substr(equals + (equals < words[i].size() ? 1 : 0)));
            const std::vector<std::string> meant{std::istream_iterator<std::string>(text), {}};
            if (!meant.empty() && find_qemu(meant) != meant.end())
                names.insert(words[i].substr(0, equals));
        }
        if (!words.empty() && words.size() > 1 && names.contains(words[0]))
            throw LauncherError(source + ": line " + std::to_string(command.line) + " calls " +
                                quoted_word(words[0]) +
                                ", an alias of QEMU's name: put what it stands for in its place");
    }
}

// Those that the commands start; what a script runs takes precedence over what it writes, whose
// lines go into `written`.
std::vector<const ShellCommand*> starts_of_qemu(const std::vector<ShellCommand>& commands,
                                                std::vector<unsigned>& written) {
    std::vector<const ShellCommand*> found;
    for (const ShellCommand& command : commands) {
        // Several rounds of a loop are one start.
        const bool again = std::any_of(found.begin(), found.end(), [&](const ShellCommand* one) {
            return one->line == command.line && one->words == command.words;
        });
        if (starts_qemu(command) && !again)
            found.push_back(&command);
    }
    if (std::any_of(found.begin(), found.end(), [](const auto* one) { return !one->is_written; }))
        std::erase_if(found, [&](const ShellCommand* one) {
            if (one->is_written)
                written.push_back(one->line);
            return one->is_written;
        });
    return found;
}

// The end of a sentence needs no comma, as in "the variable A, which is not set,".
std::string sentence(const ShellProblem& problem) {
    std::string what = problem.what;
    while (what.ends_with(','))
        what.pop_back();
    return what;
}

// What the command is instead of a start of QEMU, with a colon before it; `hint` if it says nothing
// better.
std::string hint_of_command(const ShellCommand& command, std::string hint) {
    const std::string_view name =
        command.words.empty() ? std::string_view() : last_part(command.words[0]);
    const auto qemu = find_qemu(command.words);
    const bool asks = qemu != command.words.end();
    if (asks && hint.empty())
        hint = qemu + 1 == command.words.end()
                   ? ": it names QEMU without any option: give the whole command line, as you "
                     "would type it"
                   : ": it only asks QEMU for its help or version";
    const std::string_view program = started_program(command.words);
    const std::string other = of_other_hypervisor(program);
    if (!asks && (is_like_qemu(name) || last_part(program) == "virt-install"))
        hint = ": " + no_qemu(is_like_qemu(name) ? command.words[0] : program);
    else if (!asks && !other.empty() && hint.empty())
        hint = ": " + other;
    for (const std::string& word : command.words) {
        if (word.find("qemu") != std::string::npos && word.ends_with(".exe"))
            hint = std::string(": ") + of_windows;
    }
    // For $QEMU -m 512, where another file may set QEMU.
    const bool nameless =
        !command.words.empty() && (command.words[0].starts_with('-') || is_unknown(name));
    if (nameless && command.words.size() > 1 && command.problem && hint.empty())
        hint = ": the name of the program in line " + std::to_string(command.line) +
               " is known only to a shell (" + sentence(command.problem) +
               "); write out what it stands for";
    if (command.words.size() > 1 && command.words[1] == "=" &&
        (name == ".encoding" || name == "config.version" || name == "virtualHW.version"))
        hint = ": " + std::string(instead_of_description(".vmx"));
    if (command.words.size() > 2 && command.words[1] == "=" && is_one_of(name, {"builder", "vif"}))
        hint = ": it is a domain's configuration file of Xen: " + std::string(of_xen);
    if (name == "scsihw:" || name == "ostype:")
        hint =
            ": it is a VM's configuration file of Proxmox: give the output of `qm showcmd NUMBER' "
            "instead";
    return hint;
}

// What a text without a start of QEMU is instead, and what to give in its place; empty if nothing
// shows that.
std::string hint_instead(const std::vector<ShellCommand>& commands, const std::string& source) {
    std::string hint;
    if (const auto way_out = instead_of_description(source); !way_out.empty())
        hint = std::string(": ").append(way_out);
    for (const char* const imported : {".xml", ".ova", ".ovf", ".tar"}) {
        if (source.ends_with(imported))
            hint = ": it is for `tapgate import'";
    }
    for (const ShellCommand& command : commands)
        hint = hint_of_command(command, std::move(hint));
    return hint;
}

// Each line once, as a loop starts one QEMU after the other.
std::set<unsigned> lines_of(const std::vector<const ShellCommand*>& commands) {
    std::set<unsigned> lines;
    for (const ShellCommand* command : commands)
        lines.insert(command->line);
    return lines;
}

void require_one(const std::vector<const ShellCommand*>& found, const std::string& source) {
    if (found.size() == 1)
        return;
    std::string lines;
    const std::set<unsigned> places = lines_of(found);
    for (const unsigned line : places)
        lines += (lines.empty() ? "" : ", ") + std::to_string(line);
    throw LauncherError(source + ": it starts QEMU more than once (" +
                        std::string(places.size() > 1 ? "lines " : "line ") + shown(lines) +
                        "); copy the one you mean into a file of its own");
}

void require_known(const ShellCommand& command, const std::string& source) {
    const ShellProblem& problem = command.problem;
    if (!problem)
        return;
    const bool open_quote = problem.what.find("that is not closed") != std::string::npos;
    const std::string error =
        source +
        ": QEMU's command line depends on what only a shell would know: " + sentence(problem) +
        (open_quote ? "; close it" : "; write out what it stands for");
    if (problem.of_argument && !command.has_arguments)
        throw ArgumentsMissing(error + give_arguments);
    throw LauncherError(error);
}

// The line that ends with ^ before another with options, as in a batch file of Windows; 0: none
// does.
unsigned line_of_batch_file(std::string_view text) {
    for (unsigned line = 1; !text.empty(); line++) {
        const std::string_view whole = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(whole.size() + 1, text.size()));
        if (!trimmed(whole).starts_with('#') && trimmed(whole, " \t\r").ends_with(" ^") &&
            trimmed(text, " \t").starts_with('-'))
            return line;
    }
    return 0;
}

void refuse_other_language(std::string_view text, const std::string& source) {
    if (const unsigned line = line_of_batch_file(text); line > 0)
        throw LauncherError(source + ": line " + std::to_string(line) + " ends with ^: " +
                            of_windows + ", and each line but the last ends with \\ here");
    const std::string_view language = other_language(text, source);
    if (language == "make")
        throw LauncherError(
            source + ": it is a makefile: give a file with the output of `make -n TARGET' instead");
    if (!language.empty())
        throw LauncherError(
            source + ": it is a script for " + shown(language) +
            ", not for sh or bash: give a file with the QEMU command line that it runs");
}

// Where a unit's variable may come from, if one is unknown: a file that could not be read.
std::string file_of_variables(std::string_view unit, std::string_view error) {
    constexpr std::string_view settings = "\nEnvironmentFile=";
    const size_t at = unit.find(settings);
    if (at == std::string_view::npos || error.find("is not set in the script") == std::string::npos)
        return {};
    const std::string_view file = unit.substr(at + 1);
    return ": " + shown(trimmed(file.substr(0, file.find('\n')), " \t\r")) +
           ", which may set it, cannot be read here";
}

// &quot; or &#34;, as a web page has them in its source; empty if the text does not begin so.
std::string_view character_code(std::string_view text) {
    for (const std::string_view code : {"&quot;", "&apos;", "&lt;", "&gt;", "&nbsp;"}) {
        if (text.starts_with(code))
            return code;
    }
    // At the end of a line, it may be meant for a shell, which takes its `&'.
    constexpr std::string_view ampersand = "&amp;";
    if (text.starts_with(ampersand) && !trimmed(text.substr(ampersand.size()), " \t\r").empty())
        return ampersand;
    const size_t end = text.starts_with("&#") ? text.find_first_not_of("0123456789", 2) : 0;
    return end != std::string_view::npos && end > 2 && text[end] == ';' ? text.substr(0, end + 1)
                                                                        : std::string_view();
}

// <disk_file> at `at', as a manual has it for what its readers fill in; empty if it may be meant
// for a shell, as in <in> out.
std::string_view placeholder(std::string_view line, size_t at) {
    constexpr std::string_view inside =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-. ";
    const std::string_view rest = line.substr(at);
    const size_t end = rest.find_first_not_of(inside, 1);
    const std::string_view before = line.substr(0, at);
    const bool quoted = std::count(before.begin(), before.end(), '"') % 2 != 0 ||
                        std::count(before.begin(), before.end(), '\'') % 2 != 0;
    if (end == std::string_view::npos || end == 1 || rest[end] != '>' || quoted)
        return {};
    const std::string_view behind = trimmed(rest.substr(end + 1), " \t\r\\");
    constexpr std::string_view joins = "=,:/.";
    const bool joined =
        (!before.empty() && joins.find(before.back()) != std::string_view::npos) ||
        (end + 1 < rest.size() && joins.find(rest[end + 1]) != std::string_view::npos);
    return joined || behind.empty() ? rest.substr(0, end + 1) : std::string_view();
}

void refuse_placeholder(std::string_view open, unsigned line, const std::string& source) {
    if (!open.empty())
        throw LauncherError(source + ": line " + std::to_string(line) + " has " +
                            std::string(open) +
                            ", which stands for something: write that in its place");
}

// Where the value begins in a line that is NAME=<value>; 0 in any other line.
size_t placeholder_assigned(std::string_view line) {
    const size_t name = line.starts_with("export ") ? std::string_view("export ").size() : 0;
    const size_t equals = name + shell_name_length(line.substr(name));
    const bool assigns = equals > name && line.substr(equals).starts_with("=<");
    return assigns && trimmed(line, " \t\r").ends_with('>') ? equals + 1 : 0;
}

// Refuses what a web page or a manual has in the lines of QEMU's starts, which begin in `lines':
// to a shell, a code ends the command, and a placeholder names files.
void refuse_other_texts(std::string_view text, const std::set<unsigned>& lines,
                        const std::string& source) {
    bool goes_on = false;
    for (unsigned number = 1; !text.empty(); number++) {
        const std::string_view whole = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(whole.size() + 1, text.size()));
        if (const size_t value = placeholder_assigned(whole); value > 0)
            refuse_placeholder(placeholder(whole, value), number, source);
        if (!goes_on && !lines.contains(number))
            continue;
        goes_on = trimmed(whole, " \t\r").ends_with('\\');
        for (size_t at = whole.find('<'); at != std::string_view::npos;
             at = whole.find('<', at + 1)) {
            refuse_placeholder(placeholder(whole, at), number, source);
        }
        for (size_t at = whole.find('&'); at != std::string_view::npos;
             at = whole.find('&', at + 1)) {
            if (const auto code = character_code(whole.substr(at)); !code.empty())
                throw LauncherError(source + ": line " + std::to_string(number) + " has " +
                                    std::string(code) +
                                    ", as in a web page's source: put the character that it stands "
                                    "for in its place");
        }
    }
}

bool is_passed_start(const ShellCommand& command) {
    return command.is_passed && is_start_of_qemu(command.words);
}

// If no command line was found, the error says where the text names QEMU nevertheless.
std::string with_place_of_name(const std::string& error, std::string_view text) {
    if (const unsigned prompt = line_behind_prompt(text); prompt > 0)
        return error + ": line " + std::to_string(prompt) +
               " has one, but the `#' before it makes it a comment: leave the `#' out";
    if (const unsigned named = line_with_name(text); named > 0 && error.ends_with(nothing_found))
        return error + ": line " + std::to_string(named) +
               " names QEMU, but no shell would start it from there (a quoted list, another host, "
               "a container, a log, a name that a test looks for?): give only its command line, "
               "from QEMU's name on, as you "
               "would type it";
    return error;
}

// If the text has QEMU's command line as a list of quoted words.
std::optional<ShellCommand> start_in_list(std::string_view text, const std::string& source) {
    const QuotedList list = find_quoted_list(text);
    if (list.line == 0)
        return std::nullopt;
    const std::string line = source + ": line " + std::to_string(list.line);
    if (list.more)
        throw LauncherError(line +
                            " and others have lists that begin with QEMU's name; copy the "
                            "one you mean into a file of its own");
    if (list.words.empty())
        throw LauncherError(line +
                            " has QEMU's command line as a list, in which not all words are "
                            "quoted texts: give the command line that comes of it");
    ShellCommand start;
    start.words = list.words;
    start.line = list.line;
    start.is_list = true;
    return start;
}

ShellCommand joined_from(ShellCommand command, const PastedText& pasted) {
    command.is_joined = pasted.is_joined;
    return command;
}

}  // namespace

ShellCommand find_qemu_start(std::string_view text, const Surroundings& surroundings,
                             const std::string& source, const std::vector<std::string>& arguments) {
    const PastedText pasted = before_pasting(without_mail_encoding(text));
    const std::string& written = pasted.text;
    refuse_other_language(written, source);
    const std::string plain = with_units_as_script(written, source, surroundings);
    std::string error;
    bool found_nothing = false;
    for (const ShellReading reading :
         {ShellReading::here, ShellReading::elsewhere, ShellReading::flat}) {
        bool starts = false;
        try {
            const std::vector<ShellCommand> commands =
                read_shell_script(plain, surroundings, reading, arguments);
            starts = std::any_of(commands.begin(), commands.end(), [](const ShellCommand& command) {
                return starts_qemu(command) || !command.cut_off.empty();
            });
            std::set<unsigned> lines;
            for (const ShellCommand& command : commands) {
                if (starts_qemu(command))
                    lines.insert(command.line);
            }
            refuse_other_texts(written, lines, source);
            // A file that may come and go must not decide which of two starts is meant.
            if (std::none_of(commands.begin(), commands.end(), is_passed_start))
                return joined_from(find_qemu_command(commands, source), pasted);
        } catch (const ScriptRefused& refusal) {
            throw LauncherError(source + ": " + refusal.what());
        } catch (const LauncherError& problem) {
            if (error.empty() && (starts || reading == ShellReading::flat))
                error = problem.what();
            // As it is now, the script does not reach the start.
            if (starts && reading == ShellReading::flat && arguments.empty() &&
                dynamic_cast<const ArgumentsMissing*>(&problem) == nullptr)
                error += give_arguments;
            found_nothing = found_nothing || dynamic_cast<const NothingFound*>(&problem) != nullptr;
            // Another reading would know less, and might not notice that.
            if (starts)
                break;
        }
    }
    if (auto start = found_nothing ? start_in_list(written, source) : std::nullopt)
        return *start;
    throw LauncherError(found_nothing ? with_place_of_name(error, written)
                                      : error + file_of_variables(plain, error));
}

ShellCommand find_qemu_command(const std::vector<ShellCommand>& commands,
                               const std::string& source) {
    refuse_calls_of_alias(commands, source);
    std::vector<unsigned> written;
    std::vector<const ShellCommand*> found = starts_of_qemu(commands, written);
    // It may be part of a command line, or options with a line each.
    const std::optional<ShellCommand> options =
        found.empty() ? options_alone(commands) : std::nullopt;
    if (options)
        found.push_back(&*options);
    if (found.empty()) {
        for (const ShellCommand& command : commands)
            require_whole(command, source);
        throw NothingFound(source + nothing_found + hint_instead(commands, source));
    }
    if (are_of_one_log(found))
        found.erase(found.begin(), found.end() - 1);
    require_one(found, source);
    require_whole(*found[0], source);
    require_known(*found[0], source);
    ShellCommand start = *found[0];
    start.written = std::move(written);
    return start;
}

}  // namespace tapgate
