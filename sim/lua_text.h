/* Words of Lua, for what is written as a scenario. */
#ifndef BROWNOUT_SIM_LUA_TEXT_H
#define BROWNOUT_SIM_LUA_TEXT_H

#include <stdio.h>

/* A string in quotes, whatever bytes it has. */
void lua_text_string(FILE *file, const char *text);
/* Each line of the text as a comment, behind `indent`. */
void lua_text_comment(FILE *file, const char *indent, const char *text);

#endif
