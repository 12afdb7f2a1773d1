/* What /v1/locale answers with. Currencies and languages are rows of tables.h. */
#ifndef LOCALE_MODELS_H
#define LOCALE_MODELS_H

#include <stdbool.h>

#include "model.h"

struct caller_place {
    const char *ip, *country_code, *country, *continent_code, *continent, *currency;
    bool is_eu;
};

struct named_code {
    const char *code, *name;
};

struct phone_code {
    const char *code, *country_code, *country;
};

extern const struct model model_locale, model_locale_code, model_country, model_continent;
extern const struct model model_phone, model_currency, model_language;

#endif
