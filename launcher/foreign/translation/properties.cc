// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/translation/properties.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "launcher/base/error.h"
#include "launcher/base/text.h"

namespace tapgate {

namespace {

// Strings may have ' around them instead of ", as QEMU allows.
std::string with_double_quotes(std::string_view text) {
    std::string json;
    char quote = '\0';
    for (size_t i = 0; i < text.size(); i++) {
        const char c = text[i];
        if (quote == '\0') {
            quote = c == '"' || c == '\'' ? c : '\0';
            json += quote == '\0' ? c : '"';
        } else if (c == quote) {
            json += '"';
            quote = '\0';
        } else if (c == '\\' && i + 1 < text.size()) {
            json.append(text[i + 1] == '\'' ? "" : "\\").append(1, text[i + 1]);
            i++;
        } else {
            json.append(c == '"' ? "\\\"" : std::string(1, c));
        }
    }
    return json;
}

std::vector<Properties::Property> flat_json(std::string_view text) {
    using Json = nlohmann::ordered_json;
    const auto json = Json::parse(with_double_quotes(text), nullptr, false);
    if (!json.is_object())
        throw LauncherError(quoted_word(text) + " begins like JSON, but is not valid JSON");
    std::vector<Properties::Property> properties;
    // Not recursive, since whoever wrote the text chose the depth.
    std::vector<std::pair<std::string, const Json*>> open = {{"", &json}};
    while (!open.empty()) {
        const auto [prefix, object] = open.back();
        open.pop_back();
        for (const auto& [key, value] : object->items()) {
            const std::string name = prefix + key;
            if (value.is_structured())
                open.emplace_back(name + ".", &value);
            else if (value.is_boolean())
                properties.emplace_back(name, value.get<bool>() ? "on" : "off");
            else
                properties.emplace_back(
                    name, value.is_string() ? value.get<std::string>() : value.dump());
        }
    }
    return properties;
}

}  // namespace

Properties Properties::parse(std::string_view text, std::string_view first_key) {
    Properties result;
    if (text.empty())
        return result;
    if (text.front() == '{') {
        result.properties_ = flat_json(text);
        return result;
    }
    bool first = true;
    for (std::string& word : split_at_commas(text)) {
        const size_t equals = word.find('=');
        if (equals != std::string::npos)
            result.properties_.emplace_back(word.substr(0, equals), word.substr(equals + 1));
        else if (first && !first_key.empty())
            result.properties_.emplace_back(first_key, word);
        else if (word.starts_with("no"))
            result.properties_.emplace_back(word.substr(2), "off");
        else if (!word.empty())
            result.properties_.emplace_back(word, "on");
        first = false;
    }
    return result;
}

std::optional<std::string> Properties::take(std::string_view key) {
    auto values = take_all(key);
    if (values.empty())
        return std::nullopt;
    return std::move(values.back());
}

std::vector<std::string> Properties::take_all(std::string_view key) {
    std::vector<std::string> values;
    for (Property& property : properties_) {
        if (property.first == key)
            values.push_back(std::move(property.second));
    }
    std::erase_if(properties_, [&](const Property& property) { return property.first == key; });
    return values;
}

void Properties::set(std::string_view key, std::string_view value) {
    take_all(key);
    properties_.emplace_back(key, value);
}

std::string Properties::get(std::string_view key) const {
    const auto found = std::find_if(properties_.rbegin(), properties_.rend(),
                                    [&](const Property& p) { return p.first == key; });
    return found == properties_.rend() ? std::string() : found->second;
}

bool Properties::has(std::string_view key) const {
    return std::any_of(properties_.begin(), properties_.end(),
                       [&](const Property& property) { return property.first == key; });
}

std::string Properties::str(std::string_view first_key) const {
    std::string text;
    for (const Property& property : properties_) {
        const bool first = &property == properties_.data();
        text.append(first ? "" : ",")
            .append(first && property.first == first_key ? "" : property.first + "=")
            .append(commas_doubled(property.second));
    }
    return text;
}

}  // namespace tapgate
