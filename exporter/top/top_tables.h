// TopTable: the two tables of `lockwarden top`, threads and lock classes, filtered and sorted as
// its state says.
//
// Pure functions; no terminal.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "exporter/top/top_screen.h"

namespace lockwarden {

struct TopTable {
  struct Column {
    const char* title;
    size_t width = 0;  // 0: a share of what is left
    bool right = false;
  };
  struct Row {
    std::vector<std::string> cells;  // one a column
    Style style = Style::kPlain;
  };
  std::vector<Column> columns;
  std::vector<Row> rows;
};

// Those that the state's choice of a program leaves.
std::vector<const TopProgram*> ShownPrograms(const TopData& data, const TopState& state);
TopTable ThreadTable(const TopData& data, const TopState& state);
TopTable ClassTable(const TopData& data, const TopState& state);
// The heading, and a line a row, each exactly so wide; 0: as wide as they need to be.
std::vector<ScreenLine> LayOut(const TopTable& table, size_t width);

// "950us", "1.2s", "12m", "3h": at most six characters.
std::string ShortTime(double seconds);
// Cut, or filled up, to so many columns; a code point counts as one.
std::string Fit(const std::string& text, size_t columns);

}  // namespace lockwarden
