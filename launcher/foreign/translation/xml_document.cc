// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/translation/xml_document.h"

#include <algorithm>

#include "launcher/base/error.h"
#include "launcher/base/text.h"

namespace tapgate {

namespace {

// XML 1.0 allows none, not even as &#27; (2.2): they would reach terminals and files.
bool has_control_character(std::string_view text) {
    return std::any_of(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return (byte < ' ' && c != '\t' && c != '\n' && c != '\r') || byte == 0x7f;
    });
}

// As a byte, or as a reference ("&#0;", "&#x00;"), where the parser would end the value.
bool has_nul(std::string_view text) {
    if (text.find('\0') != std::string_view::npos)
        return true;
    for (size_t at = text.find("&#"); at != std::string_view::npos; at = text.find("&#", at + 1)) {
        std::string_view digits = text.substr(at + 2);
        if (digits.starts_with('x'))
            digits.remove_prefix(1);
        const size_t end = digits.find_first_not_of('0');
        if (end != std::string_view::npos && end > 0 && digits[end] == ';')
            return true;
    }
    return false;
}

// The parser knows Latin 1 and UTF-8, and takes everything else for UTF-8.
void refuse_other_encoding(std::string_view text, const std::string& source) {
    const bool is_ascii = std::all_of(text.begin(), text.end(),
                                      [](char c) { return static_cast<signed char>(c) >= 0; });
    const std::string_view declaration = text.substr(0, text.find("?>"));
    const size_t at = declaration.find("encoding=");
    if (is_ascii || !text.starts_with("<?xml") || at == std::string_view::npos)
        return;
    // Quotes of one kind or the other.
    const std::string_view quoted = declaration.substr(at + 9);
    const size_t end = quoted.empty() ? std::string_view::npos : quoted.find(quoted[0], 1);
    if (end == std::string_view::npos)
        return;
    const std::string name(quoted.substr(1, end - 1));
    const std::string small = in_small_letters(name);
    for (const char* const known : {"utf-8", "utf8", "iso-8859-1", "latin1", "us-ascii"}) {
        if (small == known)
            return;
    }
    const std::string shell_name = shown(shell_text({name}));
    throw LauncherError(source + ": it is in " + shown(name) + ": `iconv -f " + shell_name +
                        " -t UTF-8 OLD | sed 1s/" + shell_name + "/UTF-8/ >NEW' converts it");
}

class FindControlCharacter : public pugi::xml_tree_walker {
  public:
    bool for_each(pugi::xml_node& node) override {
        bool found = has_control_character(node.name()) || has_control_character(node.value());
        for (const pugi::xml_attribute& attribute : node.attributes())
            found = found || has_control_character(attribute.name()) ||
                    has_control_character(attribute.value());
        return !found;
    }
};

}  // namespace

void parse_xml(pugi::xml_document& document, std::string_view text, const std::string& source) {
    if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff"))
        throw LauncherError(source +
                            ": it is in UTF-16, as Windows writes it: `iconv -f UTF-16 -t UTF-8 "
                            "OLD >NEW' converts it");
    if (has_nul(text))
        throw LauncherError(source +
                            ": it contains a NUL, a control character, which XML does not allow");
    refuse_other_encoding(text, source);
    const pugi::xml_parse_result result =
        document.load_buffer(text.data(), text.size(), pugi::parse_default | pugi::parse_doctype);
    if (!result)
        throw LauncherError(source + ": not valid XML: " + result.description() + " at byte " +
                            std::to_string(result.offset));
    FindControlCharacter control_character;
    if (!document.traverse(control_character))
        throw LauncherError(source + ": it contains a control character, which XML does not allow");
    for (const pugi::xml_node& node : document.children()) {
        if (node.type() == pugi::node_doctype)
            throw LauncherError(source +
                                ": it has a DOCTYPE, which tapgate does not read; remove that");
    }
}

std::string_view local_name(std::string_view name) {
    return name.substr(name.rfind(':') + 1);  // npos + 1 is 0
}

std::string own_text(const pugi::xml_node& node) {
    std::string text;
    for (const pugi::xml_node& child : node.children()) {
        if (child.type() == pugi::node_pcdata || child.type() == pugi::node_cdata)
            text += child.value();
    }
    return std::string(trimmed(text, " \t\r\n"));
}

pugi::xml_node child_named(const pugi::xml_node& parent, std::string_view name) {
    return parent.find_child(
        [&](const pugi::xml_node& child) { return local_name(child.name()) == name; });
}

std::string text_of(const pugi::xml_node& parent, std::string_view name) {
    return own_text(child_named(parent, name));
}

std::string attribute_of(const pugi::xml_node& node, std::string_view name) {
    for (const pugi::xml_attribute& attribute : node.attributes()) {
        if (local_name(attribute.name()) == name)
            return attribute.value();
    }
    return {};
}

std::string tag_of(const pugi::xml_node& node) {
    std::string text = std::string("<") + node.name();
    for (const pugi::xml_attribute& attribute : node.attributes())
        text += std::string(" ") + attribute.name() + "='" + attribute.value() + "'";
    return text + ">";
}

namespace {

constexpr size_t longest_contents = 16384;

void add_contents(const pugi::xml_node& node, unsigned depth, std::string& text) {
    constexpr unsigned deepest = 16;
    for (const pugi::xml_node& child : node.children()) {
        if (text.size() > longest_contents || depth > deepest)
            return;
        if (child.type() == pugi::node_element) {
            text += tag_of(child);
            add_contents(child, depth + 1, text);
        } else if (child.type() == pugi::node_pcdata || child.type() == pugi::node_cdata) {
            text += trimmed(child.value(), " \t\r\n");
        }
    }
}

}  // namespace

std::string contents_of(const pugi::xml_node& node) {
    std::string text;
    add_contents(node, 0, text);
    if (text.size() > longest_contents) {
        text.resize(longest_contents);
        text += " ... and more";
    }
    return text;
}

}  // namespace tapgate
