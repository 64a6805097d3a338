// SPDX-License-Identifier: GPL-2.0-or-later
//
// Against scripted QEMUs on a socketpair, and against the real one.
#include "launcher/qemu/qmp_client.h"
#include "tests/prerequisite.h"
#include "tests/unit/testing.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>

namespace tapgate {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;
using Clock = std::chrono::steady_clock;
using Kind = QmpError::Kind;

const std::string greeting =
    R"({"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": ""}, "capabilities": ["oob"]}})"
    "\r\n";

// QEMU's end of the connection. What fails there ends the script: the client is gone.
class Peer {
  public:
    explicit Peer(int socket) : socket_(socket) {}

    bool send_text(std::string_view text) const {
        while (!text.empty()) {
            const ssize_t sent = send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
            if (sent <= 0)
                return false;
            text.remove_prefix(static_cast<size_t>(sent));
        }
        return true;
    }

    // The next command, an object; null when the client is gone.
    json read_command() {
        for (;;) {
            const size_t end = read_.find('\n');
            if (end != std::string::npos) {
                json command = json::parse(read_.substr(0, end));
                read_.erase(0, end + 1);
                return command;
            }
            std::array<char, 4096> buffer{};
            const ssize_t got = recv(socket_, buffer.data(), buffer.size(), 0);
            if (got <= 0)
                return nullptr;
            read_.append(buffer.data(), static_cast<size_t>(got));
        }
    }

    // Answers the next command with `rest`, the members beside "id".
    bool answer(const std::string& rest) {
        const json command = read_command();
        return !command.is_null() &&
               send_text("{" + rest + ", \"id\": " + command["id"].dump() + "}\r\n");
    }

    void shake_hands() {
        send_text(greeting);
        answer(R"("return": {})");
    }

    int socket() const { return socket_; }

  private:
    int socket_;
    std::string read_;
};

// A QEMU that does what `script` says, in a thread, and then closes the connection.
class ScriptedQemu {
  public:
    explicit ScriptedQemu(std::function<void(Peer&)> script) {
        std::array<int, 2> ends{};
        EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
        socket_.reset(ends[0]);
        thread_ = std::thread([script = std::move(script), theirs = ends[1]] {
            const UniqueFd owned(theirs);
            Peer peer(theirs);
            script(peer);
        });
    }
    ~ScriptedQemu() {
        socket_.reset();
        thread_.join();
    }
    ScriptedQemu(const ScriptedQemu&) = delete;
    ScriptedQemu& operator=(const ScriptedQemu&) = delete;

    QmpClient connect(milliseconds limit = QmpClient::time_limit) {
        return {std::move(socket_), "vm1", limit};
    }

  private:
    UniqueFd socket_;
    std::thread thread_;
};

// What connecting to a QEMU that sends `text` first and then nothing ends in.
QmpError error_of_greeting(const std::string& text, milliseconds limit = QmpClient::time_limit) {
    ScriptedQemu qemu([&](Peer& peer) {
        peer.send_text(text);
        peer.read_command();
    });
    return exception_of<QmpError>([&] { qemu.connect(limit); });
}

TEST(QmpClient, PassesADescriptorBesideACommand) {
    bool is_same = false;
    const UniqueFd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
    struct stat ours {};
    ASSERT_EQ(fstat(null.get(), &ours), 0);
    ScriptedQemu qemu([&](Peer& peer) {
        peer.shake_hands();
        // The command's bytes and the descriptor come in one message, or QEMU would not find it.
        std::array<char, 4096> text{};
        alignas(cmsghdr) std::array<char, CMSG_SPACE(4 * sizeof(int))> control{};
        iovec bytes{text.data(), text.size()};
        msghdr message{};
        message.msg_iov = &bytes;
        message.msg_iovlen = 1;
        message.msg_control = control.data();
        message.msg_controllen = control.size();
        const ssize_t got = recvmsg(peer.socket(), &message, 0);
        const cmsghdr* const header = CMSG_FIRSTHDR(&message);
        if (got <= 0 || header == nullptr || header->cmsg_type != SCM_RIGHTS)
            return;
        int fd = -1;
        std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
        const UniqueFd theirs(fd);
        struct stat status {};
        is_same = header->cmsg_len == CMSG_LEN(sizeof fd) && fstat(fd, &status) == 0 &&
                  status.st_ino == ours.st_ino && status.st_dev == ours.st_dev;
        const json command = json::parse(std::string(text.data(), static_cast<size_t>(got)));
        if (command["execute"] == "getfd" && command["arguments"]["fdname"] == "tap0")
            peer.send_text(R"({"return": {}, "id": )" + command["id"].dump() + "}\r\n");
    });
    QmpClient client = qemu.connect();
    EXPECT_TRUE(client.execute_with_fd("getfd", {{"fdname", "tap0"}}, null.get()).ok());
    EXPECT_TRUE(is_same);
    EXPECT_EQ(fcntl(null.get(), F_GETFD), FD_CLOEXEC) << "it is no more the caller's";
}

TEST(QmpClient, ShakesHandsAndRunsCommands) {
    std::vector<json> commands;
    ScriptedQemu qemu([&](Peer& peer) {
        peer.send_text(greeting);
        for (const char* answer :
             {R"("return": {})", R"("return": {"running": true})", R"("return": [1, 2])"}) {
            commands.push_back(peer.read_command());
            peer.send_text(std::string("{") + answer + ", \"id\": " + commands.back()["id"].dump() +
                           "}\r\n");
        }
    });
    QmpClient client = qemu.connect();
    EXPECT_EQ(client.greeting()["version"]["qemu"]["major"], 7);
    const QmpAnswer status = client.execute("query-status");
    EXPECT_TRUE(status.ok());
    EXPECT_EQ(status.value["running"], true);
    EXPECT_EQ(client.execute("x", {{"path", "/a,b\n"}}).value, json({1, 2}));
    EXPECT_EQ(commands[0]["execute"], "qmp_capabilities");
    EXPECT_EQ(commands[1]["execute"], "query-status");
    EXPECT_FALSE(commands[1].contains("arguments"));
    EXPECT_EQ(commands[2]["arguments"]["path"], "/a,b\n");
}

TEST(QmpClient, AnErrorIsAnAnswer) {
    ScriptedQemu qemu([](Peer& peer) {
        peer.shake_hands();
        peer.answer(R"("error": {"class": "CommandNotFound", "desc": "no \u001b[1m"})");
        peer.answer(R"("error": 7)");
        // Not even the id could be made out.
        peer.read_command();
        peer.send_text(R"({"error": {"class": "GenericError", "desc": "JSON parse error"}})"
                       "\n");
    });
    QmpClient client = qemu.connect();
    const QmpAnswer answer = client.execute("x");
    EXPECT_FALSE(answer.ok());
    EXPECT_EQ(answer.error_class, "CommandNotFound");
    EXPECT_EQ(answer.error, "no ?[1m");
    EXPECT_FALSE(client.execute("x").ok());
    EXPECT_EQ(client.execute("x").error, "JSON parse error");
}

TEST(QmpClient, EventsAreKeptInTheirOrder) {
    ScriptedQemu qemu([](Peer& peer) {
        peer.shake_hands();
        peer.send_text("{\"event\": \"A\"}\r\n\r\n{\"event\": \"B\", \"data\": {}}\r\n");
        peer.answer(R"("return": 1)");
        peer.send_text("{\"event\": \"C\"}\n");
        peer.read_command();
    });
    QmpClient client = qemu.connect();
    EXPECT_EQ(client.execute("x").value, 1);
    EXPECT_EQ((*client.next_event(milliseconds(0)))["event"], "A");
    EXPECT_EQ((*client.next_event(milliseconds(0)))["event"], "B");
    EXPECT_EQ((*client.next_event(QmpClient::time_limit))["event"], "C");
    EXPECT_FALSE(client.next_event(milliseconds(0)));
    EXPECT_FALSE(client.next_event(milliseconds(20)));
}

// Megabytes, which a busy machine takes its time for.
constexpr milliseconds plenty(60'000);

TEST(QmpClient, OfTooManyEventsTheOldestGo) {
    ScriptedQemu qemu([](Peer& peer) {
        peer.shake_hands();
        for (size_t i = 0; i < max_qmp_events + 10; i++)
            peer.send_text(R"({"event": ")" + std::to_string(i) + "\"}\n");
        peer.answer(R"("return": 1)");
        const std::string big(max_qmp_message / 2, 'x');
        for (int i = 0; i < 3; i++)
            peer.send_text(R"({"event": "big", "data": {"x": ")" + big + "\"}}\n");
        peer.answer(R"("return": 1)");
        peer.read_command();
    });
    QmpClient client = qemu.connect();
    client.execute("x", nullptr, plenty);
    EXPECT_EQ(client.lost_events(), 10U);
    EXPECT_EQ((*client.next_event(milliseconds(0)))["event"], "10");
    client.execute("x", nullptr, plenty);
    EXPECT_EQ((*client.next_event(milliseconds(0)))["event"], "big");
    EXPECT_FALSE(client.next_event(milliseconds(0)));
    EXPECT_EQ(client.lost_events(), max_qmp_events + 10 - 1 + 2);
}

TEST(QmpClient, MessagesMayComeInAnyPieces) {
    ScriptedQemu qemu([](Peer& peer) {
        for (const char c : greeting)
            peer.send_text({&c, 1});
        peer.answer(R"("return": {})");
        peer.send_text("{\"event\": \"A\"}\n{\"eve");
        const json command = peer.read_command();
        peer.send_text("nt\": \"B\"}\n{\"return\": \"\\u00e9");
        peer.send_text(R"(\\\"}{", "id": )" + command["id"].dump() + "}\n");
        peer.read_command();
    });
    QmpClient client = qemu.connect();
    EXPECT_EQ(client.execute("x").value, "\u00e9\\\"}{");
    EXPECT_EQ((*client.next_event(milliseconds(0)))["event"], "A");
    EXPECT_EQ((*client.next_event(milliseconds(0)))["event"], "B");
}

TEST(QmpClient, AnAnswerThatComesTooLateIsNotTheNextCommands) {
    ScriptedQemu qemu([](Peer& peer) {
        peer.shake_hands();
        const json slow = peer.read_command();
        const json next = peer.read_command();
        peer.send_text(R"({"return": "old", "id": )" + slow["id"].dump() + "}\n");
        peer.send_text(R"({"return": "nobody's", "id": "x"})"
                       "\n"
                       R"({"return": "?"})"
                       "\n");
        peer.send_text(R"({"return": "new", "id": )" + next["id"].dump() + "}\n");
    });
    QmpClient client = qemu.connect();
    const auto error =
        exception_of<QmpError>([&] { client.execute("slow", nullptr, milliseconds(50)); });
    EXPECT_EQ(error.kind(), Kind::too_slow);
    EXPECT_STREQ(error.what(), "QMP at vm1: no answer to slow within 50 ms");
    EXPECT_EQ(client.execute("next").value, "new");
}

// However much comes: not an answer, not in time.
TEST(QmpClient, AFloodIsNoWayAroundTheTimeLimit) {
    for (const char* text : {"{\"id\": 77, \"return\": {}}\n", "{\"event\": \"X\"}\n", "\n"}) {
        SCOPED_TRACE(text);
        ScriptedQemu qemu([&](Peer& peer) {
            peer.shake_hands();
            std::string many;
            while (many.size() < 10000)
                many += text;
            while (peer.send_text(many)) {
            }
        });
        QmpClient client = qemu.connect();
        EXPECT_EQ(
            exception_of<QmpError>([&] { client.execute("x", nullptr, milliseconds(200)); }).kind(),
            Kind::too_slow);
        if (!std::string_view(text).starts_with(R"({"event)")) {
            EXPECT_FALSE(client.next_event(milliseconds(100)));
        }
    }
}

TEST(QmpClient, WhatDoesNotGreetAsQemuIsNone) {
    for (const char* text : {"SSH-2.0-OpenSSH_9.2\r\n", "\x80\xff\n", "[]\n", "7\n", "{\n", "{}\n",
                             "{\"QMP\": 1}\n", "{\"QMP\": {}} x\n", "\"\\ud800\"\n",
                             "{\"event\": {}}\n", "{\"event\": \"A\", \"data\": 1}\n"}) {
        SCOPED_TRACE(text);
        const auto error = error_of_greeting(text);
        EXPECT_EQ(error.kind(), Kind::broken);
        EXPECT_THAT(error.what(), StartsWith("QMP at vm1: "));
    }
    EXPECT_STREQ(error_of_greeting("SSH-2.0-\x1b[1m\r\n").what(),
                 "QMP at vm1: a line that is not JSON: SSH-2.0-?[1m");
    EXPECT_STREQ(error_of_greeting("", milliseconds(200)).what(),
                 "QMP at vm1: no greeting within 200 ms: another client may be connected to it");
}

TEST(QmpClient, ARefusedHandshake) {
    ScriptedQemu qemu([](Peer& peer) {
        peer.send_text(greeting);
        peer.answer(R"("error": {"class": "GenericError", "desc": "no"})");
    });
    EXPECT_STREQ(exception_of<QmpError>([&] { qemu.connect(); }).what(),
                 "QMP at vm1: it refuses qmp_capabilities: no");
}

TEST(QmpClient, DepthIsBounded) {
    const auto nested = [](size_t depth) {
        return R"({"QMP": )" + std::string(depth, '[') + std::string(depth, ']') + "}\n";
    };
    EXPECT_THAT(error_of_greeting(nested(max_qmp_depth - 1)).what(), HasSubstr("does not greet"));
    EXPECT_THAT(error_of_greeting(nested(max_qmp_depth)).what(),
                HasSubstr("nested over 256 deep: {\"QMP\": [[["));
    EXPECT_THAT(error_of_greeting(std::string(max_qmp_message / 2, '[') + "\n").what(),
                HasSubstr("nested over 256 deep"));
    // Brackets in a string nest nothing.
    EXPECT_THAT(error_of_greeting("{\"a\": \"\\\"" + std::string(1000, '[') + "\"}\n").what(),
                HasSubstr("does not greet"));
}

TEST(QmpClient, SizeIsBounded) {
    const std::string fits = R"({"a": ")" + std::string(max_qmp_message - 9, 'x') + "\"}";
    ASSERT_EQ(fits.size(), max_qmp_message);
    EXPECT_THAT(error_of_greeting(fits + "\n").what(), HasSubstr("does not greet"));
    EXPECT_THAT(error_of_greeting(fits + " \n").what(),
                HasSubstr("a message of over 4194304 bytes: {\"a\": \"xxx"));
    // Without an end, too.
    EXPECT_THAT(error_of_greeting(std::string(max_qmp_message + 1, '\0')).what(),
                HasSubstr("a message of over 4194304 bytes"));
}

TEST(QmpClient, WhatIsBrokenStaysBroken) {
    ScriptedQemu qemu([](Peer& peer) {
        peer.shake_hands();
        peer.send_text("{\"event\": \"A\"}\nrubbish\n");
        peer.answer(R"("return": {})");
    });
    QmpClient client = qemu.connect();
    const std::string text = "QMP at vm1: a line that is not JSON: rubbish";
    EXPECT_EQ(exception_of<QmpError>([&] { client.execute("x"); }).what(), text);
    EXPECT_EQ(exception_of<QmpError>([&] { client.execute("x"); }).what(), text);
    // What came before it is there.
    EXPECT_EQ((*client.next_event(milliseconds(0)))["event"], "A");
    EXPECT_EQ(exception_of<QmpError>([&] { client.next_event(milliseconds(0)); }).what(), text);
}

// Closed after each single byte of a whole conversation: an error each time, and always that one.
TEST(QmpClient, QemuMayEndAtAnyMoment) {
    const std::string all = greeting + R"({"return": {}, "id": 1})"
                                       "\n"
                                       R"({"event": "A"})"
                                       "\n"
                                       R"({"return": {}, "id": 2})"
                                       "\n";
    for (size_t size = 0; size < all.size(); size++) {
        ScriptedQemu qemu([&](Peer& peer) { peer.send_text(all.substr(0, size)); });
        const auto error = exception_of<QmpError>([&] {
            QmpClient client = qemu.connect();
            client.execute("x");
        });
        EXPECT_EQ(error.kind(), Kind::closed) << size;
    }
}

TEST(QmpClient, TheLastEventsOfAQemuThatEndedAreThere) {
    ScriptedQemu qemu([](Peer& peer) {
        peer.shake_hands();
        peer.send_text("{\"event\": \"SHUTDOWN\"}\n");
    });
    QmpClient client = qemu.connect();
    pollfd ended{client.fd(), 0, 0};
    ASSERT_EQ(poll(&ended, 1, 10000), 1);  // POLLHUP
    EXPECT_EQ(exception_of<QmpError>([&] { client.execute("x"); }).kind(), Kind::closed);
    EXPECT_EQ((*client.next_event(milliseconds(0)))["event"], "SHUTDOWN");
    EXPECT_EQ(exception_of<QmpError>([&] { client.next_event(milliseconds(0)); }).kind(),
              Kind::closed);
}

TEST(QmpClient, AQemuThatDoesNotReadIsNoHang) {
    ScriptedQemu qemu([](Peer& peer) {
        peer.shake_hands();
        pollfd gone{peer.socket(), 0, 0};
        poll(&gone, 1, 60000);
    });
    QmpClient client = qemu.connect();
    const json big{{"x", std::string(size_t{8} << 20, 'x')}};
    const auto error = exception_of<QmpError>([&] { client.execute("x", big, milliseconds(100)); });
    EXPECT_EQ(error.kind(), Kind::broken);
    EXPECT_STREQ(error.what(), "QMP at vm1: QEMU does not read the command x");
}

// One that writes before it reads needs us to read before we have written all.
TEST(QmpClient, BothMaySendMuchAtOnce) {
    ScriptedQemu qemu([](Peer& peer) {
        peer.shake_hands();
        peer.send_text(R"({"event": "A", "data": {"x": ")" + std::string(2 << 20, 'x') + "\"}}\n");
        peer.answer(R"("return": 1)");
    });
    QmpClient client = qemu.connect();
    EXPECT_EQ(client.execute("x", {{"x", std::string(2 << 20, 'x')}}, plenty).value, 1);
    EXPECT_EQ((*client.next_event(milliseconds(0)))["event"], "A");
}

TEST(QmpClient, WhatIsNotUtf8CannotBeSent) {
    ScriptedQemu qemu([](Peer& peer) {
        peer.shake_hands();
        peer.answer(R"("return": 1)");
    });
    QmpClient client = qemu.connect();
    EXPECT_THROW(client.execute("x", {{"path", "/caf\xe9"}}), std::invalid_argument);
    EXPECT_EQ(client.execute("x").value, 1);
}

// --- Sockets with names

class QmpSocket : public testing::Test {
  protected:
    std::string path() const { return directory_.file("qmp"); }

    UniqueFd bind_socket() const {
        UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path().copy(address.sun_path, sizeof address.sun_path - 1);
        EXPECT_EQ(bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        return fd;
    }

  private:
    TemporaryDirectory directory_;
};

TEST_F(QmpSocket, NobodyListens) {
    EXPECT_THAT(exception_of<QmpError>([&] { QmpClient::connect(path()); }).what(),
                EndsWith("/qmp: No such file or directory; QEMU is not running"));
    bind_socket();
    const auto error = exception_of<QmpError>([&] { QmpClient::connect(path()); });
    EXPECT_EQ(error.kind(), Kind::unreachable);
    EXPECT_THAT(error.what(), StartsWith("cannot connect to /"));
    EXPECT_THAT(error.what(), EndsWith("/qmp: Connection refused; QEMU is not running"));
    EXPECT_THAT(exception_of<QmpError>([&] { QmpClient::connect(std::string(108, 'x')); }).what(),
                HasSubstr("1 to 107 bytes, this one 108"));
    EXPECT_EQ(exception_of<QmpError>([&] { QmpClient::connect(""); }).kind(), Kind::unreachable);
}

// As when another client is connected: the kernel connects, and QEMU does not answer.
TEST_F(QmpSocket, NobodyAccepts) {
    const UniqueFd listener = bind_socket();
    ASSERT_EQ(listen(listener.get(), 0), 0);
    const auto connect = [&] { QmpClient::connect(path(), milliseconds(100)); };
    EXPECT_EQ(exception_of<QmpError>(connect).kind(), Kind::too_slow);
    // Now the queue is full.
    EXPECT_THAT(exception_of<QmpError>(connect).what(),
                EndsWith("others are waiting there already"));
}

// --- The real QEMU

// `-M none`: QEMU's monitor and nothing else.
class RealQemu : public QmpSocket {
  public:
    RealQemu() = default;
    ~RealQemu() override {
        if (pid_ > 0) {
            kill(pid_, SIGKILL);
            waitpid(pid_, nullptr, 0);
        }
    }
    RealQemu(const RealQemu&) = delete;
    RealQemu& operator=(const RealQemu&) = delete;

  protected:
    void start(const std::vector<std::string>& more) {
        std::vector<std::string> words{"qemu-system-x86_64", "-M",   "none", "-nodefaults",
                                       "-display",           "none", "-S"};
        words.insert(words.end(), more.begin(), more.end());
        std::vector<char*> argv;
        argv.reserve(words.size() + 1);
        for (std::string& word : words)
            argv.push_back(word.data());
        argv.push_back(nullptr);
        posix_spawn_file_actions_t actions{};
        ASSERT_EQ(posix_spawn_file_actions_init(&actions), 0);
        if (stdio_) {
            posix_spawn_file_actions_adddup2(&actions, stdio_.get(), 0);
            posix_spawn_file_actions_adddup2(&actions, stdio_.get(), 1);
        }
        const int error = posix_spawnp(&pid_, argv[0], &actions, nullptr, argv.data(), environ);
        posix_spawn_file_actions_destroy(&actions);
        if (error == 0)
            return;
        pid_ = -1;
        TAPGATE_REQUIRE(false, "qemu-system-x86_64");
    }

    // Its exit status, when it has ended by itself.
    int wait_for_end() {
        int status = -1;
        EXPECT_EQ(waitpid(pid_, &status, 0), pid_);
        pid_ = -1;
        return status;
    }

    UniqueFd stdio_;

  private:
    pid_t pid_ = -1;
};

void converse(QmpClient& client) {
    EXPECT_TRUE(client.greeting()["version"]["qemu"]["major"].is_number());
    EXPECT_EQ(client.execute("query-version").value["qemu"], client.greeting()["version"]["qemu"]);
    EXPECT_EQ(client.execute("query-status").value["running"], false);
    const QmpAnswer schema = client.execute("query-qmp-schema");
    EXPECT_GT(schema.value.size(), 100U);
    // An order of magnitude of room.
    EXPECT_LT(schema.value.dump().size(), max_qmp_message / 8);
    EXPECT_EQ(client.execute("no-such-command").error_class, "CommandNotFound");
    EXPECT_EQ(client.execute("query-status", {{"x", 1}}).error_class, "GenericError");
    EXPECT_TRUE(client.execute("cont").ok());
    EXPECT_EQ((*client.next_event(QmpClient::time_limit))["event"], "RESUME");
    EXPECT_TRUE(client.execute("quit").ok());
    EXPECT_EQ((*client.next_event(QmpClient::time_limit))["event"], "SHUTDOWN");
    EXPECT_EQ(exception_of<QmpError>([&] { client.next_event(QmpClient::time_limit); }).kind(),
              Kind::closed);
}

TEST_F(RealQemu, OverItsSocket) {
    start({"-qmp", "unix:" + path() + ",server=on,wait=off"});
    if (IsSkipped() || HasFatalFailure())
        return;
    const auto deadline = Clock::now() + std::chrono::seconds(20);
    while (access(path().c_str(), F_OK) != 0 && Clock::now() < deadline)
        std::this_thread::sleep_for(milliseconds(5));
    // Bound, and perhaps not yet listening.
    std::optional<QmpClient> client;
    while (!client) {
        try {
            client.emplace(QmpClient::connect(path(), std::chrono::seconds(20)));
        } catch (const QmpError& error) {
            ASSERT_EQ(error.kind(), Kind::unreachable) << error.what();
            ASSERT_LT(Clock::now(), deadline) << error.what();
        }
    }
    // It talks with one at a time.
    EXPECT_EQ(exception_of<QmpError>([&] { QmpClient::connect(path(), milliseconds(100)); }).kind(),
              Kind::too_slow);
    converse(*client);
    EXPECT_EQ(wait_for_end(), 0);
}

TEST_F(RealQemu, OverItsStdio) {
    std::array<int, 2> ends{};
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
    UniqueFd ours(ends[0]);
    stdio_.reset(ends[1]);
    start({"-qmp", "stdio"});
    if (IsSkipped() || HasFatalFailure())
        return;
    stdio_.reset();
    QmpClient client(std::move(ours), "the probe", std::chrono::seconds(20));
    converse(client);
    EXPECT_EQ(wait_for_end(), 0);
}

}  // namespace
}  // namespace tapgate
