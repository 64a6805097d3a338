// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/vm/option_help.h"

#include <boost/program_options/value_semantic.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "launcher/vm/options.h"

namespace tapgate {

namespace po = boost::program_options;

namespace {

// The words of `text`, joined by `separator` instead of blanks.
std::string joined(std::string_view text, std::string_view separator) {
    std::string result;
    for (const char c : text) {
        if (c == ' ')
            result += separator;
        else
            result += c;
    }
    return result;
}

}  // namespace

po::options_description vm_options_description() {
    po::options_description description("VM options");
    for (const VmOption& option : vm_options()) {
        auto* const value = po::value<std::vector<std::string>>()->value_name(argument_of(option));
        std::string help(option.help);
        if (!option.properties.empty())
            help += ": " + joined(option.properties, ", ");
        if (!option.built_in.empty())
            help.append(" (default ").append(option.built_in).append(")");
        if (option.repeatable)
            help += "; may be repeated";
        // add_options() takes ownership of the value.
        description.add_options()(option.key.data(), value, help.c_str());
    }
    return description;
}

}  // namespace tapgate
