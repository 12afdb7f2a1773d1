/* Certificates that hosts show, read from an OpenSSL server on the loopback address. */
#include "certificate.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "mem.h"

/* Makes a certificate that ends in the given year, serves it and writes its port. */
static const char server[] =
    "import os, socket, ssl, subprocess, sys, tempfile\n"
    "with tempfile.TemporaryDirectory() as place:\n"
    "    os.chdir(place)\n"
    "    open('index', 'w').close()\n"
    "    open('conf', "
    "'w').write('[ca]\\ndefault_ca=d\\n[d]\\ndatabase=index\\nnew_certs_dir=.\\n'\n"
    "        'default_md=sha256\\nrand_serial=yes\\npolicy=p\\n[p]\\ncommonName=supplied\\n'\n"
    "        'organizationName=optional\\n')\n"
    "    run = lambda *words: subprocess.run(['openssl', *words], check=True,\n"
    "                                        stderr=subprocess.DEVNULL)\n"
    "    run('req', '-newkey', 'rsa:2048', '-nodes', '-keyout', 'key', '-out', 'request',\n"
    "        '-subj', '/O=Quay, \"Sons\" and Co/CN=old.example')\n"
    "    run('ca', '-batch', '-selfsign', '-config', 'conf', '-keyfile', 'key', '-in', 'request',\n"
    "        '-out', 'certificate', '-startdate', '20200101000000Z',\n"
    "        '-enddate', sys.argv[1] + '0101000000Z', '-notext')\n"
    "    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n"
    "    context.load_cert_chain('certificate', 'key')\n"
    "    listener = socket.create_server(('127.0.0.1', 0))\n"
    "    print(listener.getsockname()[1], flush=True)\n"
    "    listener = context.wrap_socket(listener, server_side=True)\n"
    "    try:\n"
    "        listener.accept()[0].recv(1)\n"
    "    except OSError:\n"
    "        pass\n";

struct peer {
    pid_t pid;
    unsigned port; /* 0: it could not be started */
};

static struct peer start(const char *year)
{
    struct peer peer = { 0 };
    int out[2];

    assert_int_equal(pipe(out), 0);
    peer.pid = fork();
    if (peer.pid == 0) {
        dup2(out[1], STDOUT_FILENO);
        execl("/usr/bin/python3", "python3", "-c", server, year, (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    FILE *stream = fdopen(out[0], "r");
    assert_non_null(stream);
    if (fscanf(stream, "%u", &peer.port) != 1)
        peer.port = 0;
    fclose(stream);
    return peer;
}

static void finish(const struct peer *peer)
{
    kill(peer->pid, SIGTERM);
    waitpid(peer->pid, NULL, 0);
}

static int read_certificate(const char *year, struct http_certificate *ret_certificate,
                            struct error *err)
{
    const struct peer peer = start(year);
    const struct http_certificate_query query = {
        .host = "127.0.0.1", .port = peer.port, .total_ms = 10000, .private_addresses = true
    };

    if (peer.port == 0) {
        finish(&peer);
        print_message("skipped: no openssl or no python3 to serve with\n");
        skip();
    }
    int result = http_certificate_read(&query, ret_certificate, err);
    finish(&peer);
    return result;
}

static void a_certificate_nobody_trusts_is_read(void **state)
{
    auto_http_certificate struct http_certificate found = { 0 };
    struct error err = { 0 };

    (void)state;
    if (read_certificate("2120", &found, &err) < 0)
        fail_msg("%s", err.message);
    assert_string_equal(found.common_name, "old.example");
    assert_string_equal(found.organisation, "Quay, \"Sons\" and Co");
    assert_string_equal(found.signature, "RSA-SHA256");
    assert_int_equal(found.valid_from, 1577836800);
    assert_int_equal(found.valid_until, 4733510400);
    assert_non_null(strstr(found.subject, "old.example"));
}

static void an_expired_certificate_is_an_error(void **state)
{
    struct http_certificate found = { 0 };
    struct error err = { 0 };

    (void)state;
    assert_int_equal(read_certificate("2021", &found, &err), -1);
    assert_int_equal(err.type, ERROR_HEALTH_CERTIFICATE_EXPIRED);
    assert_null(found.subject);
}

static void a_private_address_is_not_connected_to(void **state)
{
    const struct http_certificate_query query = { .host = "127.0.0.1",
                                                  .port = 1,
                                                  .total_ms = 1000 };
    struct http_certificate found = { 0 };
    struct error err = { 0 };

    (void)state;
    assert_int_equal(http_certificate_read(&query, &found, &err), -1);
    assert_int_equal(err.type, ERROR_HEALTH_INVALID_HOST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_certificate_nobody_trusts_is_read),
        cmocka_unit_test(an_expired_certificate_is_an_error),
        cmocka_unit_test(a_private_address_is_not_connected_to),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
