/* The small models, and the list of all. */
#include "health.h"
#include "locale_models.h"
#include "model.h"

static const struct field jwt_fields[] = {
    { .name = "jwt", .kind = FIELD_TEXT_HERE, .text = "The token." },
    { 0 },
};
const struct model model_jwt = { "jwt", NULL, jwt_fields };

static const struct field health_version_fields[] = {
    { .name = "version", .kind = FIELD_TEXT_HERE, .text = "Version of the API." },
    { 0 },
};
const struct model model_health_version = { "healthVersion", NULL, health_version_fields };

const struct model *const all_models[] = {
    &model_function,
    &model_variable,
    &model_deployment,
    &model_build,
    &model_execution,
    &model_runtime,
    &model_jwt,
    &model_health_status,
    &model_health_report,
    &model_health_version,
    &model_health_queue,
    &model_health_time,
    &model_health_antivirus,
    &model_health_certificate,
    &model_locale,
    &model_locale_code,
    &model_country,
    &model_continent,
    &model_phone,
    &model_currency,
    &model_language,
    &model_specification,
    &model_rule,
    &model_metric,
    &model_usage_functions,
    &model_usage_function,
    &model_usage_old,
    &model_account,
    &model_console_variables,
    &model_template_function,
    &model_template_runtime,
    &model_template_variable,
    NULL,
};
