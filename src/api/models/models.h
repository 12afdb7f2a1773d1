/* Fields that only older response formats have; versions.c puts them in place. */
#ifndef MODELS_H
#define MODELS_H

#include "model.h"

/* Below 2.0.0 a rule that is no resource's has "" where it has null now. */
extern const struct field field_rule_resource_type_text;
/* Below 1.6.0 an execution that answered 4xx is failed. */
extern const struct field field_execution_status_strict;
/* Below 1.4.0 `size` counts source and build. */
extern const struct field field_deployment_size_total;
/* Below 1.4.0 a function shows the runs before and after now. */
extern const struct field field_function_schedule_previous, field_function_schedule_next;

#endif
