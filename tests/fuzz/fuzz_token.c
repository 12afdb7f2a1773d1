/* links: run */
/* Tokens from clients: nothing that we did not sign is ever taken. */
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct token_signer *signer;
    static const unsigned char secret[32] = "nobody who fuzzes knows this one";
    struct token token;
    struct error err;
    if (signer == NULL && token_signer_new(secret, &signer) < 0)
        abort();
    char *text = xstrndup(size == 0 ? "" : (const char *)data, size);
    if (token_verify(signer, TOKEN_USER, text, 0, &token, &err) == 0 ||
        token_verify(signer, TOKEN_KEY, text, 0, &token, &err) == 0)
        abort();
    free(text);
    return 0;
}
