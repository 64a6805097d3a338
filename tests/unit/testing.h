// SPDX-License-Identifier: GPL-2.0-or-later
//
// What several of the launcher's tests need.
#ifndef TAPGATE_TESTS_UNIT_LAUNCHER_TESTING_H
#define TAPGATE_TESTS_UNIT_LAUNCHER_TESTING_H

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>

#include "launcher/base/error.h"

namespace tapgate {

/// The text of the LauncherError that `function` throws, or "none".
template <typename Function>
std::string error_of(const Function& function) {
    try {
        function();
    } catch (const LauncherError& error) {
        return error.what();
    }
    return "none";
}

/// A new directory, with all that is in it for as long as this lives.
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

#endif
