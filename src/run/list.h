/* A doubly linked list whose links are inside its members. A zeroed link is in no list. */
#ifndef LIST_H
#define LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *previous;
};

#define list_member(link, type, field) ((type *)(void *)((char *)(link)-offsetof(type, field)))

static inline void list_init(struct list *list)
{
    list->next = list->previous = list;
}

static inline bool list_is_empty(const struct list *list)
{
    return list->next == list;
}

static inline bool list_is_linked(const struct list *link)
{
    return link->next != NULL;
}

static inline void list_append(struct list *list, struct list *link)
{
    link->previous = list->previous;
    link->next = list;
    list->previous->next = link;
    list->previous = link;
}

static inline void list_remove(struct list *link)
{
    if (link->next == NULL)
        return;
    link->previous->next = link->next;
    link->next->previous = link->previous;
    link->next = link->previous = NULL;
}

static inline struct list *list_first(const struct list *list)
{
    /* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): does not see that what is freed has left */
    return list_is_empty(list) ? NULL : list->next;
}

static inline struct list *list_take_first(struct list *list)
{
    struct list *link = list_first(list);
    if (link != NULL)
        list_remove(link);
    return link;
}

#endif
