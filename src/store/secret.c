/*
 * DIR/secret: 32 random bytes that every key of the program is derived from, and the sealing of
 * secret variables.
 *
 * A sealed value is nonce, ciphertext, tag (XChaCha20-Poly1305). Project, function and key are
 * authenticated with it, so that a value moved to another row of the file does not open.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fd.h"
#include "mem.h"
#include "store_private.h"
#include "text.h"

enum {
    NONCE = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    TAG = crypto_aead_xchacha20poly1305_ietf_ABYTES
};
enum { PURPOSE_MAX = 64 };

static int secret_create(struct store *store, const char *file, struct error *err)
{
    randombytes_buf(store->secret, SECRET_BYTES);
    return fd_write_file(AT_FDCWD, file, store->secret, SECRET_BYTES, 0600, err);
}

int secret_open(struct store *store, bool must_exist, struct error *err)
{
    auto_free char *file = xasprintf("%s/secret", store->directory);
    auto_fd int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    unsigned char extra;

    if (fd < 0 && errno == ENOENT) {
        if (must_exist)
            return fail(err, ERROR_INTERNAL,
                        "%s is missing, but %s exists and needs it: restore it from a backup", file,
                        store->file);
        return secret_create(store, file, err);
    }
    if (fd < 0)
        return fail(err, ERROR_INTERNAL, "%s: cannot be read: %s", file, strerror(errno));
    if (fd_read_all(fd, store->secret, SECRET_BYTES) != SECRET_BYTES ||
        fd_read_all(fd, &extra, 1) != 0)
        return fail(err, ERROR_INTERNAL, "%s is damaged: it must hold %d bytes", file,
                    SECRET_BYTES);
    return 0;
}

void store_derive_key(const struct store *store, const char *purpose, unsigned char ret_key[32])
{
    char text[PURPOSE_MAX];
    int bytes = snprintf(text, sizeof text, "functiond key: %s", purpose);

    assert(bytes < PURPOSE_MAX);
    crypto_generichash(ret_key, 32, (const unsigned char *)text, (unsigned long long)bytes,
                       store->secret, SECRET_BYTES);
}

/*
 * What a value is bound to. Lower case: identifiers are compared without case. The key goes as it
 * is.
 */
static char *associated_data(const struct variable *variable, size_t *ret_bytes)
{
    size_t project = strlen(variable->project_id), function = strlen(variable->function_id);
    char *data = xasprintf("%s\n%s\n%s", variable->project_id, variable->function_id,
                           variable->key);

    *ret_bytes = strlen(data);
    data[project + 1 + function] = '\0';
    text_lower(data);
    data[project + 1 + function] = '\n';
    return data;
}

int variable_value_bind(struct db *db, sqlite3_stmt *statement, int index,
                        const struct variable *variable, struct error *err)
{
    const char *value = variable->value ? variable->value : "";
    size_t size = strlen(value), associated_bytes, sealed_size = NONCE + size + TAG;
    unsigned char key[crypto_aead_xchacha20poly1305_ietf_KEYBYTES];
    auto_free char *associated = NULL;
    auto_free unsigned char *sealed = NULL;

    if (!variable->secret) {
        bind_text(statement, index, value);
        return 0;
    }
    associated = associated_data(variable, &associated_bytes);
    sealed = xmalloc(sealed_size);
    randombytes_buf(sealed, NONCE);
    store_derive_key(db->store, "variables", key);
    crypto_aead_xchacha20poly1305_ietf_encrypt(sealed + NONCE, NULL, (const unsigned char *)value,
                                               size, (const unsigned char *)associated,
                                               associated_bytes, NULL, sealed, key);
    sodium_memzero(key, sizeof key);
    if (sqlite3_bind_blob64(statement, index, sealed, sealed_size, SQLITE_TRANSIENT) != SQLITE_OK)
        return db_fail(db, err);
    return 0;
}

int variable_value_read(struct db *db, sqlite3_stmt *statement, int index,
                        struct variable *variable, struct error *err)
{
    unsigned char key[crypto_aead_xchacha20poly1305_ietf_KEYBYTES];
    auto_free char *associated = NULL;
    auto_free char *value = NULL;
    const unsigned char *sealed;
    size_t size, associated_bytes;
    int result;

    if (sqlite3_column_type(statement, index) != SQLITE_BLOB) {
        variable->value = column_text(statement, index);
        return 0;
    }
    sealed = sqlite3_column_blob(statement, index);
    size = (size_t)sqlite3_column_bytes(statement, index);
    if (size < NONCE + TAG)
        return fail(err, ERROR_INTERNAL, "variable %s: its sealed value is cut short",
                    variable->id);

    value = xmalloc(size - NONCE - TAG + 1);
    associated = associated_data(variable, &associated_bytes);
    store_derive_key(db->store, "variables", key);
    result = crypto_aead_xchacha20poly1305_ietf_decrypt(
        (unsigned char *)value, NULL, NULL, sealed + NONCE, size - NONCE,
        (const unsigned char *)associated, associated_bytes, sealed, key);
    sodium_memzero(key, sizeof key);
    if (result < 0)
        return fail(err, ERROR_INTERNAL, "variable %s: its value does not open with %s/secret",
                    variable->id, db->store->directory);
    value[size - NONCE - TAG] = '\0';
    variable->value = steal(value);
    return 0;
}
