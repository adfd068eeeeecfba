/** --resolve: one value made of several, by the resolver of that name. */
