// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/foreign/shell/made_image.h"

#include <algorithm>
#include <string_view>

#include "launcher/foreign/translation/words.h"

namespace tapgate {

std::optional<MadeImage> image_made_by(const std::vector<std::string>& words) {
    const auto tool = std::find_if(words.begin(), words.end(), [](const std::string& word) {
        return last_part(word) == "qemu-img" || last_part(word) == "kvm-img";
    });
    if (words.end() - tool < 3)
        return std::nullopt;
    const bool creates = tool[1] == "create";
    if (!creates && tool[1] != "convert")
        return std::nullopt;
    MadeImage image{{}, "raw"};
    constexpr std::string_view with_values = "fOoFbBsSlmrtT";
    for (auto word = tool + 2; word != words.end(); ++word) {
        const bool is_option = word->starts_with('-');
        if (is_option && (*word == (creates ? "-f" : "-O")) && word + 1 != words.end())
            image.format = word[1];
        if (is_option && word->size() == 2 &&
            with_values.find(word->back()) != std::string_view::npos) {
            if (word + 1 != words.end())
                ++word;
        } else if (!is_option && (!creates || image.path.empty())) {
            image.path = *word;
        }
    }
    return image.path.empty() ? std::nullopt : std::optional(image);
}

}  // namespace tapgate
