// SPDX-License-Identifier: GPL-2.0-or-later
//
// What tests in several folders need.
#pragma once

#include <gtest/gtest.h>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>

namespace tapgate {

/// The text of the Error that `function` throws, or "none".
template <typename Error = std::exception, typename Function>
std::string error_of(const Function& function) {
    try {
        function();
    } catch (const Error& error) {
        return error.what();
    }
    return "none";
}

/// The Error that `function` throws; the test fails if it throws none.
template <typename Error, typename Function>
Error exception_of(const Function& function) {
    try {
        function();
    } catch (const Error& error) {
        return error;
    }
    throw std::logic_error("nothing was thrown");
}

/// The file's content; empty if it does not exist.
inline std::string content_of(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

/// A new directory, which is removed with its content at the end of this object's life.
class TemporaryDirectory {
  public:
    TemporaryDirectory() {
        std::string name = std::filesystem::temp_directory_path() / "tapgate.XXXXXX";
        EXPECT_NE(mkdtemp(name.data()), nullptr);
        path_ = name;
    }
    ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

    [[nodiscard]] std::string path() const { return path_; }
    [[nodiscard]] std::string file(const std::string& name) const { return path_ / name; }

  private:
    std::filesystem::path path_;
};

}  // namespace tapgate
