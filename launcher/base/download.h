// SPDX-License-Identifier: GPL-2.0-or-later
//
// Downloads, by libcurl. It is loaded only when it is needed: it brings some thirty libraries
// along, which would double the time that every tapgate takes to start.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "launcher/base/error.h"
#include "launcher/base/stop_signals.h"

namespace tapgate {

/// What to download, and how much of it is here already.
struct DownloadRequest {
    std::string url;  ///< http:, https: or file:
    /// How many bytes of the content with this `tag` are here; only the rest is requested.
    std::uint64_t from = 0;
    std::string tag;
    std::string known_tag;  ///< the complete content with this tag is here: need not come again
};

/// What came of a download.
struct DownloadAnswer {
    bool unchanged = false;  ///< the content still has the known tag
    std::string tag;         ///< the server's tag for the content; empty: it gave none
};

/// What is known before the first byte.
struct DownloadBeginning {
    std::uint64_t offset = 0;  ///< where in the content that byte belongs
    std::uint64_t total = 0;   ///< the size of the whole content; 0: not known
    std::string tag;           ///< as in DownloadAnswer
};

/// Takes the bytes. Either function may throw, which ends the download.
struct DownloadTaker {
    std::function<void(const DownloadBeginning& beginning)> begin;
    std::function<void(std::string_view bytes)> take;
};

/// There is no file of this name, on the server or here.
class NotThere : public LauncherError {
  public:
    using LauncherError::LauncherError;
};

/// Downloads what is requested. Follows redirections to http and https, but not from https to http.
/// Gives up on a connection that has stood still for a minute. Throws a LauncherError that names
/// the URL, NotThere, or a LauncherError when a signal came.
DownloadAnswer download(const DownloadRequest& request, const DownloadTaker& taker,
                        const HeldSignals& signals);

/// The text at the URL, of at most `most` bytes. Throws as download() does.
std::string download_text(const std::string& url, size_t most, const HeldSignals& signals);

/// Whether the word is a URL that download() accepts.
bool is_url(std::string_view word);

}  // namespace tapgate
