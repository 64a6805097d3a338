// SPDX-License-Identifier: GPL-2.0-or-later
#include "launcher/base/download.h"

#include <curl/curl.h>
#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <exception>
#include <memory>
#include <optional>

#include "launcher/base/text.h"

namespace tapgate {

namespace {

constexpr long connect_limit = 30;  // seconds
constexpr long stall_limit = 60;

constexpr long http_partial = 206;
constexpr long http_not_modified = 304;
constexpr long http_forbidden = 403;  // some object stores say so when a file does not exist
constexpr long http_not_found = 404;
constexpr long http_gone = 410;
constexpr long http_range_wrong = 416;
constexpr long http_error = 400;

// The library, loaded until the process ends.
class Curl {
  public:
    Curl() {
        void* library = nullptr;
        for (const char* name : {"libcurl.so.4", "libcurl-gnutls.so.4"}) {
            if (library == nullptr)
                library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
        }
        if (library == nullptr)
            throw LauncherError(
                "no libcurl here, which downloads need: apt install libcurl4 (or dnf install "
                "libcurl), or download the image by hand and say --from=FILE");
        load(library, "curl_easy_init", init);
        load(library, "curl_easy_cleanup", cleanup);
        load(library, "curl_easy_setopt", setopt);
        load(library, "curl_easy_perform", perform);
        load(library, "curl_easy_getinfo", getinfo);
        load(library, "curl_easy_strerror", strerror);
        load(library, "curl_slist_append", append);
        load(library, "curl_slist_free_all", free_list);
    }

    decltype(&curl_easy_init) init = nullptr;
    decltype(&curl_easy_cleanup) cleanup = nullptr;
    decltype(&curl_easy_setopt) setopt = nullptr;
    decltype(&curl_easy_perform) perform = nullptr;
    decltype(&curl_easy_getinfo) getinfo = nullptr;
    decltype(&curl_easy_strerror) strerror = nullptr;
    decltype(&curl_slist_append) append = nullptr;
    decltype(&curl_slist_free_all) free_list = nullptr;

  private:
    template <typename Function>
    static void load(void* library, const char* name, Function& function) {
        void* const found = dlsym(library, name);
        if (found == nullptr)
            throw LauncherError(std::string("libcurl has no ") + name);
        function = reinterpret_cast<Function>(found);
    }
};

const Curl& curl() {
    static const Curl library;
    return library;
}

// A download in progress.
class Transfer {
  public:
    Transfer(const DownloadRequest& request, const DownloadTaker& taker, const HeldSignals& signals)
        : request_(request), taker_(taker), signals_(signals), handle_(curl().init()) {
        if (!handle_)
            throw LauncherError("libcurl cannot begin");
        set_up();
    }

    DownloadAnswer run() {
        const CURLcode code = curl().perform(handle_.get());
        if (failure_)
            std::rethrow_exception(failure_);
        signals_.throw_if_any();
        if (const long status = status_of(); status >= http_error)
            refuse(status);
        if (code == CURLE_FILE_COULDNT_READ_FILE)
            throw NotThere(shown(request_.url) + ": there is no such file, or you may not read it");
        if (code != CURLE_OK)
            throw LauncherError(shown(request_.url) + ": " + why(code));
        answer_.unchanged = status_of() == http_not_modified;
        // There were no bytes at all.
        if (!begun_ && !answer_.unchanged)
            begin();
        return answer_;
    }

  private:
    struct Cleanup {
        void operator()(CURL* handle) const { curl().cleanup(handle); }
    };
    struct FreeList {
        void operator()(curl_slist* list) const { curl().free_list(list); }
    };

    template <typename Value>
    void set(CURLoption option, Value value) {
        curl().setopt(handle_.get(), option, value);
    }

    void add_header(const std::string& header) {
        curl_slist* const longer = curl().append(headers_.get(), header.c_str());
        if (longer == nullptr)
            throw LauncherError("libcurl has no memory");
        static_cast<void>(headers_.release());
        headers_.reset(longer);
    }

    void set_up() {
        const bool secure = request_.url.starts_with("https:");
        set(CURLOPT_URL, request_.url.c_str());
        set(CURLOPT_PROTOCOLS_STR, "http,https,file");
        set(CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
        set(CURLOPT_FOLLOWLOCATION, 1L);
        set(CURLOPT_MAXREDIRS, 10L);
        set(CURLOPT_NOSIGNAL, 1L);
        set(CURLOPT_CONNECTTIMEOUT, connect_limit);
        set(CURLOPT_LOW_SPEED_LIMIT, 1L);
        set(CURLOPT_LOW_SPEED_TIME, stall_limit);
        set(CURLOPT_USERAGENT, "tapgate");
        set(CURLOPT_ERRORBUFFER, words_.data());
        set(CURLOPT_WRITEFUNCTION, &Transfer::write);
        set(CURLOPT_WRITEDATA, this);
        set(CURLOPT_HEADERFUNCTION, &Transfer::header);
        set(CURLOPT_HEADERDATA, this);
        set(CURLOPT_NOPROGRESS, 0L);
        set(CURLOPT_XFERINFOFUNCTION, &Transfer::tick);
        set(CURLOPT_XFERINFODATA, this);
        // If the server's content has changed, it sends all of it. (CURLOPT_RESUME_FROM will not
        // do: with that, libcurl treats such an answer as an error.)
        if (request_.from > 0) {
            add_header("Range: bytes=" + std::to_string(request_.from) + "-");
            add_header("If-Range: " + request_.tag);
        }
        if (!request_.known_tag.empty())
            add_header("If-None-Match: " + request_.known_tag);
        if (headers_)
            set(CURLOPT_HTTPHEADER, headers_.get());
    }

    [[nodiscard]] long status_of() const {
        long status = 0;
        curl().getinfo(handle_.get(), CURLINFO_RESPONSE_CODE, &status);
        return status;
    }

    [[noreturn]] void refuse(long status) const {
        if (status == http_not_found || status == http_gone || status == http_forbidden)
            throw NotThere(shown(request_.url) +
                           ": the server has no such file, or keeps it to itself (HTTP status " +
                           std::to_string(status) + ")");
        if (status == http_range_wrong)
            throw LauncherError(shown(request_.url) +
                                ": the server does not have the rest of what is here any more");
        throw LauncherError(shown(request_.url) + ": the server refuses: HTTP status " +
                            std::to_string(status));
    }

    [[nodiscard]] std::string why(CURLcode code) const {
        std::string said = words_[0] != '\0' ? shown(words_.data()) : curl().strerror(code);
        if (code == CURLE_COULDNT_RESOLVE_HOST)
            return said + "; without a way out, a proxy may help: https_proxy=http://HOST:PORT";
        if (code == CURLE_PARTIAL_FILE || code == CURLE_RECV_ERROR ||
            code == CURLE_OPERATION_TIMEDOUT)
            return "the connection broke off: " + said;
        return said;
    }

    void begin() {
        begun_ = true;
        curl_off_t length = -1;
        curl().getinfo(handle_.get(), CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
        const std::uint64_t offset = status_of() == http_partial ? range_begin_.value_or(0) : 0;
        if (status_of() == http_partial && offset != request_.from)
            throw LauncherError(shown(request_.url) +
                                ": the server sends another part than it was "
                                "asked for");
        taker_.begin({.offset = offset,
                      .total = length < 0 ? 0 : offset + static_cast<std::uint64_t>(length),
                      .tag = answer_.tag});
    }

    // Exceptions of the callbacks must not pass through libcurl, so they are kept for later.
    template <typename Function>
    bool guarded(const Function& function) {
        try {
            function();
            return true;
        } catch (...) {
            failure_ = std::current_exception();
            return false;
        }
    }

    static size_t write(char* bytes, size_t one, size_t count, void* self) {
        auto& transfer = *static_cast<Transfer*>(self);
        // The text of an error page is not the image.
        if (transfer.status_of() >= http_error)
            return one * count;
        const bool taken = transfer.guarded([&] {
            if (!transfer.begun_)
                transfer.begin();
            transfer.taker_.take({bytes, one * count});
        });
        return taken ? one * count : 0;
    }

    static size_t header(char* bytes, size_t one, size_t count, void* self) {
        auto& transfer = *static_cast<Transfer*>(self);
        const std::string_view line = trimmed({bytes, one * count}, " \t\r\n");
        const size_t colon = std::min(line.find(':'), line.size());
        std::string name(line.substr(0, colon));
        std::transform(name.begin(), name.end(), name.begin(),
                       [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
        const std::string_view value =
            trimmed(line.substr(std::min(colon + 1, line.size())), " \t");
        if (name.starts_with("http/")) {
            // A new answer begins, after a redirection.
            transfer.answer_.tag.clear();
            transfer.range_begin_.reset();
        } else if (name == "etag" && value.starts_with('"')) {
            // A weak tag, which begins with W/, does not guarantee that every byte is the same.
            transfer.answer_.tag = value;
        } else if (name == "content-range" && value.starts_with("bytes ")) {
            const std::string_view range = value.substr(6);
            transfer.range_begin_ = parse_whole<std::uint64_t>(range.substr(0, range.find('-')));
        }
        return one * count;
    }

    static int tick(void* self, curl_off_t /*total*/, curl_off_t /*now*/, curl_off_t /*up_total*/,
                    curl_off_t /*up_now*/) {
        auto& transfer = *static_cast<Transfer*>(self);
        return transfer.guarded([&] { transfer.signals_.throw_if_any(); }) ? 0 : 1;
    }

    const DownloadRequest& request_;
    const DownloadTaker& taker_;
    const HeldSignals& signals_;
    std::unique_ptr<CURL, Cleanup> handle_;
    std::unique_ptr<curl_slist, FreeList> headers_;
    std::array<char, CURL_ERROR_SIZE> words_{};
    DownloadAnswer answer_;
    std::optional<std::uint64_t> range_begin_;
    bool begun_ = false;
    std::exception_ptr failure_;
};

}  // namespace

DownloadAnswer download(const DownloadRequest& request, const DownloadTaker& taker,
                        const HeldSignals& signals) {
    return Transfer(request, taker, signals).run();
}

std::string download_text(const std::string& url, size_t most, const HeldSignals& signals) {
    std::string text;
    const DownloadTaker taker{.begin = [](const DownloadBeginning&) {},
                              .take =
                                  [&](std::string_view bytes) {
                                      if (text.size() + bytes.size() > most)
                                          throw LauncherError(shown(url) + " is over " +
                                                              std::to_string(most) + " bytes long");
                                      text += bytes;
                                  }};
    download({.url = url, .from = 0, .tag = {}, .known_tag = {}}, taker, signals);
    return text;
}

bool is_url(std::string_view word) {
    return word.starts_with("http://") || word.starts_with("https://") ||
           word.starts_with("file://");
}

}  // namespace tapgate
