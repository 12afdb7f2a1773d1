/* Looking up addresses with libmaxminddb, which maps the file. See geo.h. */
#include "geo.h"

#include <maxminddb.h>
#include <stdlib.h>
#include <string.h>

#include "mem.h"
#include "tables.h"
#include "text.h"

struct geo {
    MMDB_s database;
};

int geo_open(const char *path, struct geo **ret_geo, struct error *err)
{
    if (text_is_empty(path)) {
        *ret_geo = NULL;
        return 0;
    }
    struct geo *geo = xcalloc(1, sizeof(*geo));
    int status = MMDB_open(path, MMDB_MODE_MMAP, &geo->database);
    if (status != MMDB_SUCCESS) {
        free(geo);
        return fail(err, ERROR_INTERNAL, "setting geo_database: %s: %s", path,
                    MMDB_strerror(status));
    }
    *ret_geo = geo;
    return 0;
}

void geo_close(struct geo *geo)
{
    if (geo == NULL)
        return;
    MMDB_close(&geo->database);
    free(geo);
}

/* Two letters at part.name of the entry; all else is no code. */
static void read_code(MMDB_entry_s *entry, const char *part, const char *name, char ret_code[3])
{
    MMDB_entry_data_s found;

    if (MMDB_get_value(entry, &found, part, name, (char *)NULL) != MMDB_SUCCESS ||
        !found.has_data || found.type != MMDB_DATA_TYPE_UTF8_STRING || found.data_size != 2)
        return;
    for (size_t i = 0; i < 2; i++)
        if (found.utf8_string[i] < 'A' || found.utf8_string[i] > 'Z')
            return;
    memcpy(ret_code, found.utf8_string, 2);
    ret_code[2] = '\0';
}

struct geo_place geo_find(const struct geo *geo, const char *ip)
{
    struct geo_place place = { 0 };
    int address_error = 0, error = 0;

    if (geo == NULL || text_is_empty(ip))
        return place;
    MMDB_lookup_result_s found = MMDB_lookup_string(&geo->database, ip, &address_error, &error);
    if (address_error != 0 || error != MMDB_SUCCESS || !found.found_entry)
        return place;
    read_code(&found.entry, "country", "iso_code", place.country);
    read_code(&found.entry, "continent", "code", place.continent);
    const struct locale_country *country = locale_country_find(place.country);
    if (country != NULL && place.continent[0] == '\0')
        memcpy(place.continent, country->continent, sizeof(place.continent));
    place.is_eu = country != NULL && country->is_eu;
    return place;
}
