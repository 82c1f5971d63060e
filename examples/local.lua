-- A tour of the local database: no server, no network. Run: lua5.4 examples/local.lua [FILE]

local syncline = require("syncline")

local path = arg and arg[1] or ":memory:"

local realm = assert(syncline.open({
    path = path,
    schema = {
        {
            name = "Book", primary_key = "isbn",
            properties = {
                isbn = "string", title = "string", year = "int?", tags = "string<>", author = "Author",
                copies = { type = "int", default = 1 }, notes = "mixed{}", place = "Shelf",
            },
        },
        { name = "Author", primary_key = "_id", properties = { _id = "objectid", name = "string", born = "timestamp?" } },
        { name = "Shelf", embedded = true, properties = { room = "string", row = "int" } },
    },
}))

-- Observers of results are called once at first, and after every transaction that changed the results.
realm:objects("Book"):observe(function(books, changes)
    print(("%d books; %d new, %d changed, %d gone"):format(books:count(), #changes.insertions, #changes.modifications,
        #changes.deletions))
end)

-- Tables make whole trees of objects. Everything inside happens, or nothing.
assert(realm:write(function()
    local stevens = { _id = syncline.objectid(), name = "W. Richard Stevens", born = syncline.timestamp("1951-02-05") }
    local unix = realm:create("Book", {
        isbn = "0-201-56317-7", title = "Advanced Programming in the UNIX Environment", year = 1992,
        tags = { "unix", "c" }, author = stevens, place = { room = "A", row = 3 },
        notes = { condition = "worn", pages = { 12, 80 } },
    })
    realm:create("Book", { isbn = "0-201-63346-9", title = "TCP/IP Illustrated", author = unix.author })
end))

local book = realm:object("Book", "0-201-56317-7")
print(book.title, book.author.name, book.place.room, book.notes.pages[2])

assert(realm:write(function()
    book:increment("copies", 2) -- adds up, also when others count at the same time
    book.tags:add("classic")
    book.place.row = 4
end))
print("copies", book.copies, "row", book.place.row)

-- Queries are plain Lua functions.
for other in realm:objects("Book"):filter(function(b) return b.author == book.author end):sorted("title"):each() do
    print("by the same author:", other.title)
end

-- An error takes everything back.
print(pcall(function()
    realm:write(function()
        realm:delete(book)
        error("changed my mind", 0)
    end)
end))
print("still there:", book:is_valid())

realm:close()
