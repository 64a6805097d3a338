// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/shell/output.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <sstream>
#include <vector>

#include "launcher/base/text.h"
#include "launcher/foreign/shell/getopt.h"
#include "launcher/foreign/translation/words.h"

namespace tapgate {

namespace {

using Value = ShellVariables::Value;

std::string normal(const std::filesystem::path& path) {
    std::string text = path.lexically_normal().string();
    while (text.size() > 1 && text.ends_with('/'))
        text.pop_back();
    return text;
}

std::string parent(std::string path) {
    while (path.size() > 1 && path.ends_with('/'))
        path.pop_back();
    const size_t slash = path.rfind('/');
    if (slash == std::string::npos)
        return ".";
    path.resize(path.find_last_not_of('/', slash) + 1);
    return path.empty() ? "/" : path;
}

// The path, from the directory that the script is in at this point; empty if unknown.
std::string from_here(const std::string& path, ShellVariables& variables) {
    if (path.starts_with('/'))
        return normal(path);
    const Value here = variables.get("PWD");
    if (here.problem || here.words.empty())
        return {};
    return normal(std::filesystem::path(here.words[0]) / path);
}

class Sum {
  public:
    Sum(std::string_view text, ShellVariables& variables) : text_(text), variables_(variables) {}

    std::optional<long long> read() {
        const long long value = terms(0);
        blanks();
        return wrong_ || at_ != text_.size() ? std::nullopt : std::optional(value);
    }

  private:
    static constexpr unsigned deepest = 16;
    static constexpr long long most = 1LL << 40U;

    void blanks() {
        while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t'))
            at_++;
    }
    bool takes(char c) {
        blanks();
        if (at_ >= text_.size() || text_[at_] != c)
            return false;
        at_++;
        return true;
    }
    long long checked(long long value) {
        wrong_ = wrong_ || value > most || value < -most;
        return wrong_ ? 0 : value;
    }
    long long terms(unsigned depth) {
        long long value = factors(depth);
        for (;;) {
            if (takes('+'))
                value = checked(value + factors(depth));
            else if (takes('-'))
                value = checked(value - factors(depth));
            else
                return value;
        }
    }
    long long factors(unsigned depth) {
        long long value = number(depth);
        for (;;) {
            if (takes('*')) {
                const long long by = number(depth);
                wrong_ = wrong_ || (by != 0 && (value > most / (by < 0 ? -by : by) ||
                                                value < -most / (by < 0 ? -by : by)));
                value = wrong_ ? 0 : value * by;
            } else if (takes('/') || takes('%')) {
                const bool divides = text_[at_ - 1] == '/';
                const long long by = number(depth);
                wrong_ = wrong_ || by == 0;
                value = wrong_ ? 0 : divides ? value / by : value % by;
            } else {
                return value;
            }
        }
    }
    long long number(unsigned depth) {
        if (takes('(')) {
            wrong_ = wrong_ || depth == deepest;
            const long long value = wrong_ ? 0 : terms(depth + 1);
            wrong_ = wrong_ || !takes(')');
            return value;
        }
        if (takes('-'))
            return depth == deepest ? checked(most + 1) : -number(depth + 1);
        const std::string_view rest = text_.substr(at_);
        const size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
        const size_t name = shell_name_length(rest);
        std::string word(rest.substr(0, std::max(digits, name)));
        at_ += word.size();
        if (name > 0) {
            const Value value = variables_.get(word);
            wrong_ = wrong_ || value.problem || value.words.size() != 1;
            word = wrong_ ? "0" : value.words[0];
        }
        const auto value = parse_whole<long long>(word, 0, most);
        // In a shell, 010 is eight.
        wrong_ = wrong_ || !value || (word.size() > 1 && word[0] == '0');
        return wrong_ ? 0 : *value;
    }

    std::string_view text_;
    ShellVariables& variables_;
    size_t at_ = 0;
    bool wrong_ = false;
};

// X = 1, X += 1, X++, but no X == 1.
bool assigns(std::string_view text) {
    if (text.find("++") != std::string_view::npos || text.find("--") != std::string_view::npos)
        return true;
    for (size_t at = 0; at < text.size(); at++) {
        const bool compares =
            (at > 0 && std::string_view("=<>!").find(text[at - 1]) != std::string_view::npos) ||
            (at + 1 < text.size() && text[at + 1] == '=');
        if (text[at] == '=' && !compares)
            return true;
    }
    return false;
}

// seq LAST, seq FIRST LAST, seq FIRST STEP LAST
std::optional<std::string> numbers(const std::vector<std::string>& words) {
    constexpr long long most = 500;
    std::vector<long long> values;
    for (size_t i = 1; i < words.size(); i++) {
        const auto value = parse_whole<long long>(words[i], -99999, 99999);
        if (!value)
            return std::nullopt;
        values.push_back(*value);
    }
    if (values.empty() || values.size() > 3)
        return std::nullopt;
    const long long last = values.back();
    const long long step = values.size() == 3 ? values[1] : 1;
    const long long first = values.size() == 1 ? 1 : values[0];
    if (step <= 0 || first > last || (last - first) / step > most)
        return std::nullopt;
    std::string text;
    for (long long i = first; i <= last; i += step)
        text += (text.empty() ? "" : "\n") + std::to_string(i);
    return text;
}

// printf FORMAT WORDS, with %s, %d, %x and the like for one word each, and `\\n': one pass, from
// that word on.
std::optional<std::string> formatted(const std::vector<std::string>& words, size_t& word) {
    constexpr int widest = 64;
    const std::string& format = words[1];
    std::string text;
    for (size_t i = 0; i < format.size(); i++) {
        if (format[i] == '\\') {
            constexpr std::string_view letters = "nt\\";
            constexpr std::string_view bytes = "\n\t\\";
            const size_t letter =
                i + 1 < format.size() ? letters.find(format[++i]) : std::string_view::npos;
            if (letter == std::string_view::npos)
                return std::nullopt;
            text += bytes[letter];
            continue;
        }
        if (format[i] != '%' || format.substr(i).starts_with("%%")) {
            text += format[i];
            i += format[i] == '%' ? 1 : 0;
            continue;
        }
        const size_t kind = format.find_first_not_of("0123456789", i + 1);
        const std::string size = format.substr(i + 1, kind - i - 1);
        const int width = size.empty() ? 0 : parse_whole<int>(size, 0, widest).value_or(-1);
        if (kind == std::string::npos || width < 0)
            return std::nullopt;
        // If no word is left, it is empty or zero.
        std::string field = word < words.size() ? words[word++] : format[kind] == 's' ? "" : "0";
        const auto number = parse_whole<long long>(field, 0, 1LL << 40U);
        if (format[kind] != 's') {
            // Here, too, 010 is eight.
            if (!number || (field.size() > 1 && field[0] == '0') ||
                std::string_view("dixX").find(format[kind]) == std::string_view::npos)
                return std::nullopt;
            std::ostringstream digits;
            digits << (format[kind] == 'd' || format[kind] == 'i' ? std::dec : std::hex)
                   << (format[kind] == 'X' ? std::uppercase : std::nouppercase) << *number;
            field = digits.str();
        }
        const bool zeros = size.starts_with('0') && format[kind] != 's';
        if (field.size() < static_cast<size_t>(width))
            field.insert(0, static_cast<size_t>(width) - field.size(), zeros ? '0' : ' ');
        text += field;
        i = kind;
    }
    return text;
}

// Repeats the format as long as there are words.
std::optional<std::string> formatted(const std::vector<std::string>& words) {
    std::string text;
    if (words[1].starts_with('-'))
        return std::nullopt;
    size_t word = 2;
    for (bool more = true; more;) {
        const size_t before = word;
        const auto part = formatted(words, word);
        if (!part)
            return std::nullopt;
        text += *part;
        more = word > before && word < words.size();
    }
    return text;
}

// `cd DIRECTORY && pwd' prints the directory.
bool goes_on_with_pwd(std::string_view rest) {
    constexpr std::array<std::string_view, 5> ways = {"&& pwd", "&& pwd -P", "&&pwd", "; pwd",
                                                      ";pwd"};
    return is_one_of(rest, ways);
}

// How many processors these commands print on a host with so many: nproc --ignore=2 leaves two out.
// Nothing if they print something else.
std::optional<unsigned> printed_processors(const std::vector<std::string>& words, unsigned host) {
    using Words = std::vector<std::string>;
    constexpr std::string_view ignore = "--ignore=";
    if (words == Words{"nproc"} || words == Words{"nproc", "--all"} ||
        words == Words{"getconf", "_NPROCESSORS_ONLN"} ||
        words == Words{"grep", "-c", "^processor", "/proc/cpuinfo"} ||
        words == Words{"grep", "-c", "processor", "/proc/cpuinfo"})
        return host;
    if (words.size() != 2 || words[0] != "nproc" || !words[1].starts_with(ignore))
        return std::nullopt;
    const auto ignored = parse_whole<unsigned>(words[1].substr(ignore.size()));
    return ignored ? std::optional(host > *ignored ? host - *ignored : 1) : std::nullopt;
}

// pwd, whoami, nproc: what the script's variables or this host say.
std::optional<Value> known_of_host(const std::vector<std::string>& words,
                                   ShellVariables& variables) {
    if (words[0] == "pwd")
        return variables.get("PWD");
    if (words[0] == "whoami")
        return variables.get("USER");
    const auto processors = variables.surroundings().processors();
    const auto printed = processors ? printed_processors(words, *processors) : std::nullopt;
    if (!printed)
        return std::nullopt;
    variables.note_of_host("$(" + shell_text(words) + ")", std::to_string(*printed));
    return Value{{std::to_string(*printed)}};
}

// uname, arch, dpkg --print-architecture
std::optional<std::string> name_of_system(const std::vector<std::string>& words) {
    const std::string& program = words[0];
    const std::string_view option = words.size() == 2 ? std::string_view(words[1]) : "";
    const bool alone = words.size() == 1;
    if (program == "uname" && (alone || option == "-s"))
        return "Linux";
    if ((program == "uname" && option == "-m") || (program == "arch" && alone))
        return "x86_64";
    if (program == "dpkg" && option == "--print-architecture")
        return "amd64";
    return std::nullopt;
}

// dirname, basename, realpath, readlink -f; and `which qemu-system-x86_64', since QEMU was found,
// or it would not have been started.
std::optional<std::string> printed_path(const std::vector<std::string>& words,
                                        ShellVariables& variables) {
    const std::string& program = words[0];
    const size_t count = words.size();
    if (program == "dirname" && count == 2)
        return parent(words[1]);
    if (program == "basename" && (count == 2 || count == 3)) {
        std::string name(last_part(normal(words[1])));
        if (count == 3 && name.size() > words[2].size() && name.ends_with(words[2]))
            name.resize(name.size() - words[2].size());
        return name;
    }
    const bool resolves =
        program == "realpath" ? count == 2 || count == 3 : program == "readlink" && count == 3;
    if (resolves && !words.back().starts_with('-'))
        return from_here(words.back(), variables);
    if (program == "command" || program == "which" || program == "type") {
        const std::string_view name = last_part(words.back());
        if (name.starts_with("qemu") || name == "kvm")
            return words.back();
    }
    return std::nullopt;
}

// expr SUM
std::optional<std::string> printed_sum(const std::vector<std::string>& words,
                                       ShellVariables& variables) {
    if (words[0] != "expr" || words.size() < 4)
        return std::nullopt;
    const std::string sum = joined({words.begin() + 1, words.end()});
    if (sum.find_first_not_of("0123456789+-*/% ") != std::string::npos)
        return std::nullopt;
    const auto value = shell_arithmetic(trimmed(sum), variables);
    return value ? std::optional(std::to_string(*value)) : std::nullopt;
}

// What a program prints that only its arguments decide; nothing if it is another one.
std::optional<std::string> printed_text(const std::vector<std::string>& words,
                                        ShellVariables& variables) {
    if (words[0] == "seq")
        return numbers(words);
    if (auto name = name_of_system(words))
        return name;
    if (auto path = printed_path(words, variables))
        return path;
    return printed_sum(words, variables);
}

}  // namespace

std::optional<std::string> shell_printed(const std::vector<std::string>& words) {
    if (words[0] == "printf" && words.size() >= 2)
        return formatted(words);
    if (words[0] != "echo")
        return std::nullopt;
    // Other words that begin with a dash are printed.
    auto first = words.begin() + 1;
    std::string options;
    while (first != words.end() && first->size() > 1 && first->starts_with('-') &&
           first->find_first_not_of("neE", 1) == std::string::npos)
        options += *first++;
    const std::string text = joined({first, words.end()});
    const bool escapes =
        options.find('e') != std::string::npos && text.find('\\') != std::string::npos;
    if (escapes)
        return std::nullopt;
    return options.find('n') == std::string::npos ? text + "\n" : text;
}

std::string without_line_ends(std::string text) {
    while (text.ends_with('\n'))
        text.pop_back();
    return text;
}

std::optional<Value> known_output(const ShellOutput& parts, ShellVariables& variables) {
    std::vector<std::string> words = parts.words;
    if (is_unknown(words))
        return std::nullopt;
    std::erase(words, "--");
    if (words.empty())
        return std::nullopt;
    // Behind a function of the script, `||' may print more.
    if (auto printed = variables.printed_by(parts.words))
        return parts.rest.empty() && !parts.problem ? printed : std::nullopt;
    // `|| true' is for a command that fails.
    const bool whole = parts.rest.empty() || parts.rest.starts_with("||");
    std::optional<std::string> text;
    if (words[0] == "cd" && words.size() >= 2) {
        if (goes_on_with_pwd(parts.rest))
            text = from_here(words.back(), variables);
    } else if (whole) {
        if (auto value = known_of_host(words, variables))
            return value;
        if (auto printed = shell_printed(words))
            return Value{{without_line_ends(std::move(*printed))}, parts.problem};
        text = words[0] == "getopt" ? getopt_output(parts.words) : printed_text(words, variables);
    }
    if (!text || text->empty())
        return std::nullopt;
    return Value{{std::move(*text)}, parts.problem};
}

SumStatus shell_sum(std::string_view text, ShellVariables& variables) {
    SumStatus sum;
    const size_t length = shell_name_length(text);
    const std::string name(text.substr(0, length));
    const std::string_view rest = trimmed(text.substr(length));
    const auto set = [&](const std::string& value) {
        sum.names = {name};
        sum.value = shell_arithmetic(value, variables);
        if (sum.value)
            sum.holds = *sum.value != 0;
    };
    constexpr std::string_view sums = "+-*/%";
    // If several variables are set, or one inside another's value, they are all unknown from here
    // on.
    const std::string_view behind = rest.substr(std::min<size_t>(2, rest.size()));
    if (assigns(length > 0 && !rest.starts_with("==") ? behind : text)) {
        for (size_t at = 0; at < text.size();) {
            const size_t size = shell_name_length(text.substr(at));
            if (size > 0)
                sum.names.emplace_back(text.substr(at, size));
            at += std::max<size_t>(size, 1);
        }
        return sum;
    }
    if (length > 0 && (rest == "++" || rest == "--")) {
        set(name + rest[0] + "1");
        // The value before decides.
        if (sum.value)
            sum.holds = *sum.value != (rest == "++" ? 1 : -1);
    } else if (length > 0 && rest.size() > 1 && sums.find(rest[0]) != std::string_view::npos &&
               rest[1] == '=') {
        set(name + rest[0] + "(" + std::string(rest.substr(2)) + ")");
    } else if (length > 0 && rest.starts_with('=') && !rest.starts_with("==")) {
        set(std::string(rest.substr(1)));
    } else {
        constexpr std::array<std::string_view, 6> comparisons = {"<=", ">=", "==", "!=", "<", ">"};
        for (const std::string_view how : comparisons) {
            const size_t at = text.find(how);
            if (at == std::string_view::npos)
                continue;
            const auto a = shell_arithmetic(text.substr(0, at), variables);
            const auto b = shell_arithmetic(text.substr(at + how.size()), variables);
            if (a && b)
                sum.holds = how == "<="   ? *a <= *b
                            : how == ">=" ? *a >= *b
                            : how == "==" ? *a == *b
                            : how == "!=" ? *a != *b
                            : how == "<"  ? *a < *b
                                          : *a > *b;
            return sum;
        }
        if (const auto value = shell_arithmetic(text, variables))
            sum.holds = *value != 0;
    }
    return sum;
}

std::optional<long long> shell_arithmetic(std::string_view text, ShellVariables& variables) {
    return Sum(text, variables).read();
}

}  // namespace tapgate
