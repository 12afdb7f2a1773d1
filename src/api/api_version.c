#include "api_version.h"

const char api_version[] = "2.0.0";
const char api_server_name[] = "functiond/" FUNCTIOND_VERSION;
